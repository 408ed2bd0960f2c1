// [data-controller="log"]: asks for what the log has gained, appends it, stops when the server says that it ended.
// Asking does not keep the session alive: nobody may be looking.
const EVERY_MS = 2000;
const SLOWEST_MS = 30000;

function follow(root) {
  if (root.dataset.followed) return;
  root.dataset.followed = "true";
  const text = root.querySelector(".log-text");
  const pinned = root.querySelector("[data-log-follow]");
  let wait = EVERY_MS;

  function end() {
    root.querySelector(".log-live").hidden = true;
    root.querySelector(".log-done").hidden = false;
    pinned.closest("label").hidden = true;
  }

  async function more() {
    if (!root.isConnected) return;
    try {
      const answer = await fetch(`${root.dataset.url}?offset=${root.dataset.offset}`, {
        headers: { "X-Harbor-No-Session-Renewal": "true" },
      });
      if (answer.redirected || [401, 403, 404].includes(answer.status)) return end();
      if (!answer.ok) throw new Error(answer.status);
      text.append(await answer.text());
      root.dataset.offset = answer.headers.get("X-Log-Offset");
      if (pinned.checked) text.scrollTop = text.scrollHeight;
      if (answer.headers.get("X-Log-End")) return end();
      wait = EVERY_MS;
    } catch {
      wait = Math.min(wait * 2, SLOWEST_MS);
    }
    setTimeout(more, wait);
  }

  text.scrollTop = text.scrollHeight;
  setTimeout(more, wait);
}

const start = () => document.querySelectorAll('[data-controller="log"]').forEach(follow);
document.addEventListener("htmx:load", start);
start();
