// Keeps keys that are pressed in a panel from triggering JupyterLab's shortcuts. JupyterLab checks the
// focused element before its ancestors, so each element is marked when it receives the focus. This
// widget is rendered before its panel is in the page, so it waits for the panel.

function render({ el }) {
  let removed = false;
  const listen = () => {
    const panel = el.closest(".i2v-panel");
    if (panel) panel.addEventListener("focusin", ({ target }) => { target.dataset.lmSuppressShortcuts = "true"; });
    else if (!removed) requestAnimationFrame(listen);
  };
  listen();
  return () => { removed = true; };
}

export default { render };
