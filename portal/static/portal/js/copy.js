// [data-controller="copy"]: puts data-copy on the clipboard and says so. Browsers offer navigator.clipboard on secure
// origins only; a registry on plain HTTP copies through a selection instead.
const SHOWN_MS = 1600;

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // The permission was denied: the selection still works.
    }
  }
  return copyBySelection(text);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest('[data-controller="copy"]');
  if (!button) return;
  const done = await copy(button.dataset.copy);
  button.focus();
  if (!done) return;
  button.dataset.copied = "";
  document.getElementById("announce")?.replaceChildren(button.dataset.done);
  setTimeout(() => delete button.dataset.copied, SHOWN_MS);
});
