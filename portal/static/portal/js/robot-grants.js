// [data-controller="robot-grants"]: a preset ticks its boxes in the matrix; ticking one oneself means choosing one by one.
function tick(form, preset) {
  const words = new Set((preset.dataset.permissions ?? "").split(" "));
  for (const box of form.querySelectorAll('input[name="permissions"]')) box.checked = words.has(box.value);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest('[data-controller="robot-grants"]');
  if (!form) return;
  if (event.target.name === "preset" && event.target.dataset.permissions) tick(form, event.target);
  if (event.target.name === "permissions") form.querySelector('input[name="preset"][value="custom"]').checked = true;
});
