// [data-controller="local-time"]: the exact time on hover in the reader's own zone; the server can only say it in UTC.
const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });

function localize(root) {
  for (const time of root.querySelectorAll('[data-controller="local-time"]')) {
    time.title = format.format(new Date(time.dateTime));
  }
}

localize(document);
document.addEventListener("htmx:load", (event) => localize(event.detail.elt.parentElement ?? document));
