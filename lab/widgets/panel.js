// Keeps the keys that are pressed in a panel from JupyterLab. Its shortcuts match the element that has
// the focus before they look further up, so each is marked itself, when the focus comes to it. The
// panel is put into the page after what it holds.

function render({ el }) {
  let gone = false;
  const listen = () => {
    const panel = el.closest(".i2v-panel");
    if (panel) panel.addEventListener("focusin", ({ target }) => { target.dataset.lmSuppressShortcuts = "true"; });
    else if (!gone) requestAnimationFrame(listen);
  };
  listen();
  return () => { gone = true; };
}

export default { render };
