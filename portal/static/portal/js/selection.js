// [data-controller="selection"]: the bar above a table of rows that can be ticked (_bulk.html). It shows while something
// is ticked; the box in the head ticks the page, the one in the bar stands for every page.
const number = new Intl.NumberFormat(document.documentElement.lang);
const bar = () => document.querySelector('[data-controller="selection"]');
const boxes = () => [...document.querySelectorAll('input[name="pick"][form="bulk"]')];

function refresh() {
  const form = bar();
  if (!form) return;
  const all = form.elements.pick_all?.checked ?? false;
  const rows = boxes();
  const ticked = rows.filter((box) => box.checked).length;
  const head = document.querySelector("[data-selection-page]");
  if (head) {
    head.checked = rows.length > 0 && ticked === rows.length;
    head.indeterminate = ticked > 0 && ticked < rows.length;
  }
  for (const box of rows) box.disabled = all;
  form.classList.toggle("bulk-idle", !all && ticked === 0);
  form.querySelector("[data-selection-count]").textContent = number.format(all ? Number(form.dataset.total) : ticked);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-selection-page]")) {
    for (const box of boxes()) box.checked = event.target.checked;
  }
  refresh();
});
document.addEventListener("htmx:load", refresh);
refresh();
