// Light or dark: what the system says, until the reader says something else.

const THEME_KEY = "sidelight-theme";

/** A page from a file, or one whose reader allows no storage, has none. */
function storedTheme() {
  try {
    return localStorage.getItem(THEME_KEY);
  } catch {
    return null;
  }
}

function storeTheme(theme) {
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // then it is for this time alone
  }
}

function isDark() {
  const chosen = document.documentElement.getAttribute("data-theme");
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  setText(byId("theme"), isDark() ? "Light theme" : "Dark theme");
  for (const chart of allCharts) chart.recolour();
}

function startTheme() {
  const stored = storedTheme();
  if (stored === "dark" || stored === "light") setAttribute(document.documentElement, "data-theme", stored);
  byId("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    setAttribute(document.documentElement, "data-theme", theme);
    storeTheme(theme);
    showTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  showTheme();
}
