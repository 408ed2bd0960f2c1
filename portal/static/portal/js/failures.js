// A partial answer that failed: what is no longer there for this session is loaded as a page, which says why and leads
// on; anything else leaves the table as it is and says that it could not be loaded.
const SHOWN_MS = 6000;

function say() {
  const { failed } = document.getElementById("announce").dataset;
  const notice = document.createElement("div");
  notice.className = "notice notice-danger notice-floating";
  notice.setAttribute("role", "alert");
  notice.append(failed);
  document.body.append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
}

document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (status < 500 && status !== 429) window.location.assign(event.detail.pathInfo.finalRequestPath);
  else say();
});
document.addEventListener("htmx:sendError", say);
