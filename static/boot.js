// Starts the dashboard: the chosen appearance before the first paint, then the WebAssembly module.

const THEMES = ["auto", "light", "dark"];
try {
  const theme = localStorage.getItem("elytra.theme");
  if (THEMES.includes(theme)) document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden: the device's own appearance is taken.
}

// The dashboard asks for the tab worker's module only where somebody may lend the tab.
globalThis.elytra = { importContributor: () => import("/web-worker/page.js") };

try {
  const { default: init } = await import("/dashboard/dashboard.js");
  await init({ module_or_path: "/dashboard/dashboard_bg.wasm" });
} catch (error) {
  const state = document.getElementById("boot-state");
  if (state) state.textContent = "The dashboard could not be loaded. Reload the page, or use a newer browser.";
  throw error;
}
