// The page's frame: what the server has, the tabs, the theme.
import { getJson } from "./api.js";
import { failure, fill, make } from "./dom.js";

const TABS = [
  {
    name: "chat",
    title: "Chat",
    module: "./chat.js",
    has: (about) => about.language.some((one) => one.chat),
  },
  { name: "spam", title: "Spam filter", module: "./spam.js", has: (about) => about.classifier !== null },
  {
    name: "translate",
    title: "Translate",
    module: "./translate.js",
    has: (about) => about.translator !== null,
  },
  { name: "inside", title: "Look inside", module: "./inside.js", has: (about) => about.language.length > 0 },
];
const panel = document.getElementById("panel");
const bar = document.getElementById("tabs");
const built = new Map();

setUpTheme();
getJson("inspect/models").then(setUpTabs, (error) => fill(panel, failure(error)));

function setUpTabs(about) {
  fill(panel, TABS.map(makePanel));
  fill(
    bar,
    TABS.map((tab) => makeTab(tab, about)),
  );
  bar.addEventListener("keydown", moveBetweenTabs);
  const open = () => show(TABS.find((tab) => `#${tab.name}` === location.hash) ?? firstTab(about), about);
  window.addEventListener("hashchange", open);
  open();
}

function firstTab(about) {
  return TABS.find((tab) => tab.has(about)) ?? TABS[0];
}

function makePanel(tab) {
  return make("section", {
    role: "tabpanel",
    id: `panel-${tab.name}`,
    "aria-labelledby": `tab-${tab.name}`,
    hidden: true,
  });
}

function makeTab(tab, about) {
  const missing = !tab.has(about);
  return make(
    "button",
    {
      type: "button",
      role: "tab",
      id: `tab-${tab.name}`,
      "aria-controls": `panel-${tab.name}`,
      class: missing ? "missing" : null,
      title: missing ? `needs a model: ${about.commands[tab.name]}` : null,
      onclick: () => (location.hash = tab.name),
    },
    tab.title,
  );
}

async function show(tab, about) {
  for (const other of TABS) {
    const selected = other === tab;
    const button = document.getElementById(`tab-${other.name}`);
    button.setAttribute("aria-selected", selected);
    button.tabIndex = selected ? 0 : -1;
    document.getElementById(`panel-${other.name}`).hidden = !selected;
  }
  if (built.has(tab.name)) return;
  built.set(tab.name, true);
  const target = document.getElementById(`panel-${tab.name}`);
  if (!tab.has(about)) {
    fill(target, missingModel(tab, about));
    return;
  }
  const { build } = await import(tab.module);
  build(target, about);
}

function missingModel(tab, about) {
  return make(
    "div",
    { class: "empty" },
    make("h2", {}, `${tab.title} has no model yet`),
    make("p", {}, "Train it with this command, then start the server again:"),
    make("pre", {}, make("code", {}, about.commands[tab.name])),
  );
}

function moveBetweenTabs(event) {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const current = TABS.findIndex((tab) => document.activeElement.id === `tab-${tab.name}`);
  if (!(event.key in steps) || current < 0) return;
  event.preventDefault();
  const next = TABS[(current + steps[event.key] + TABS.length) % TABS.length];
  location.hash = next.name;
  document.getElementById(`tab-${next.name}`).focus();
}

function setUpTheme() {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () =>
    (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const update = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
    document.dispatchEvent(new Event("themechange"));
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("foundling.theme", document.documentElement.dataset.theme);
    } catch {
      // storage may be blocked: the choice then lasts as long as the page
    }
    update();
  });
  system.addEventListener("change", update);
  update();
}
