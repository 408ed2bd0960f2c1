// [data-controller="api-reference"]: Swagger UI on the schema of data-schema. Its calls go to this host with the session's
// cookie; unsafe ones carry the CSRF token of the page, or the newer one of the last answer.
const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
const HEADER = "X-Harbor-CSRF-Token";

const root = document.querySelector('[data-controller="api-reference"]');
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let token = root.dataset.token;

// Swagger UI has a dark look of its own, behind a class.
function followTheme() {
  const { theme } = document.documentElement.dataset;
  document.documentElement.classList.toggle("dark-mode", theme === "dark" || (theme !== "light" && dark.matches));
}

followTheme();
dark.addEventListener("change", followTheme);

window.SwaggerUIBundle({
  domNode: root,
  url: root.dataset.schema,
  validatorUrl: null,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  deepLinking: true,
  filter: true,
  displayRequestDuration: true,
  requestInterceptor(request) {
    if (!SAFE.has((request.method ?? "GET").toUpperCase())) request.headers[HEADER] = token;
    return request;
  },
  responseInterceptor(response) {
    token = response.headers?.[HEADER.toLowerCase()] ?? token;
    return response;
  },
});
