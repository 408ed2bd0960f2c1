// [data-controller="dialog"]: a link, or a button of a form that only asks (GET), whose page opens in the dialog instead.
// Forms inside are sent from there; an answer with errors comes back into it, a redirect leads on (HX-Redirect).
const dialog = document.getElementById("dialog");
const TARGET = { target: "#dialog", swap: "innerHTML" };
let opener = null;

function plain(event) {
  return event.defaultPrevented || event.button > 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
}

function show(method, url, more = {}) {
  return window.htmx.ajax(method, url, { source: document.body, ...TARGET, ...more });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[data-controller="dialog"]');
  if (link && dialog && !plain(event)) {
    event.preventDefault();
    opener = link.closest("details")?.querySelector("summary") ?? link;
    link.closest("details")?.removeAttribute("open");
    show("GET", link.getAttribute("href"));
    return;
  }
  const close = event.target.closest("[data-close]");
  if (close && dialog?.contains(close)) {
    event.preventDefault();
    dialog.close();
  }
});

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (!dialog || event.defaultPrevented) return;
  const fields = new FormData(form, submitter);
  if (submitter?.dataset.controller === "dialog") {
    event.preventDefault();
    opener = submitter;
    const url = submitter.getAttribute("formaction") ?? form.getAttribute("action");
    show("GET", `${url}?${new URLSearchParams(fields)}`);
  } else if (dialog.contains(form) && form.method === "post" && !("plain" in form.dataset)) {
    event.preventDefault();
    // formData keeps repeated names and files, which a plain object of values would lose.
    show("POST", form.getAttribute("action"), { values: fields });
  }
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  if (detail.target !== dialog || detail.xhr.status >= 500 || detail.xhr.status === 429) return;
  detail.shouldSwap = detail.xhr.status !== 204;
  detail.isError = false;
});

// Not before what is in it listens: what is typed at once would be lost.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target !== dialog) return;
  const title = dialog.querySelector("h1");
  if (title) title.id = "dialog-title";
  if (!dialog.open) dialog.showModal();
  const first = dialog.querySelector('[aria-invalid="true"], [autofocus], .field input:not([type="hidden"]), .field select, .field textarea');
  first?.focus();
});

dialog?.addEventListener("close", () => {
  dialog.replaceChildren();
  opener?.focus();
  opener = null;
});
