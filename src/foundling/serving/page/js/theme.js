// Set the theme that the reader chose before the first paint; without a choice the system's applies.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("foundling.theme");
  } catch {
    // storage may be blocked: then the system's theme applies
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
