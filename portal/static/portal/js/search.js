// [data-controller="search"]: "/" goes to the field, results open below it while one types, arrows walk through them,
// Escape closes. Enter, and browsers without scripts, get the page.
const form = document.querySelector('[data-controller="search"]');

if (form) {
  const field = form.elements.q;
  const results = form.querySelector(".search-results");
  const links = () => [...results.querySelectorAll("a")];
  const writing = (element) => element.closest("input, textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });

  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      results.hidden = true;
      field.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const all = [field, ...links()];
      const next = all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      if (results.hidden || !all[next]) return;
      event.preventDefault();
      all[next].focus();
    }
  });

  results.addEventListener("htmx:afterSwap", () => {
    results.hidden = field.value.trim() === "";
  });
  field.addEventListener("focus", () => {
    results.hidden = results.childElementCount === 0 || field.value.trim() === "";
  });
  field.addEventListener("input", () => {
    if (field.value.trim() === "") results.hidden = true;
  });
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target)) results.hidden = true;
  });
  form.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !form.contains(event.relatedTarget)) results.hidden = true;
  });
}
