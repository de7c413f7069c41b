// Marks the panel around it, so that JupyterLab leaves the keys that are pressed in it alone. The
// panel is put into the page after what it holds.

function render({ el }) {
  let gone = false;
  const mark = () => {
    const panel = el.closest(".i2v-panel");
    if (panel) panel.dataset.lmSuppressShortcuts = "true";
    else if (!gone) requestAnimationFrame(mark);
  };
  mark();
  return () => { gone = true; };
}

export default { render };
