// Picks the language, and the few functions that format for it. The words are in fr.js and en.js.

import en from "/phone/en.js";
import fr from "/phone/fr.js";

const WORDS = { fr, en };

export const networkName = (network) => ({ sms: "SMS", signal: "Signal" })[network] || network;

export const remembered = {
  get(store, key) {
    try { return window[store].getItem(key); } catch { return null; }
  },
  set(store, key, value) {
    try { window[store].setItem(key, value); } catch { /* private mode: it is forgotten, that is all */ }
  },
};

// The server wrote the browser's own wish (Accept-Language) into the page.
const wanted = remembered.get("localStorage", "antirelou.lang") || document.documentElement.lang;
export let lang = wanted === "fr" ? "fr" : "en";
export let words = WORDS[lang];

export function switchLanguage() {
  lang = lang === "fr" ? "en" : "fr";
  words = WORDS[lang];
  remembered.set("localStorage", "antirelou.lang", lang);
  translate();
}

export function translate() {
  document.documentElement.lang = lang;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = words[node.dataset.t];
  for (const node of document.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", words[node.dataset.tLabel]);
    if (node.tagName === "BUTTON") node.title = words[node.dataset.tLabel];
  }
  for (const node of document.querySelectorAll("[data-t-placeholder]")) {
    node.placeholder = words[node.dataset.tPlaceholder];
  }
  const toggle = document.getElementById("lang");
  toggle.textContent = words.lang;
  toggle.lang = lang === "fr" ? "en" : "fr";
  toggle.setAttribute("aria-label", words.langLabel);
}

export const clockTime = (ms, seconds = false) => new Intl.DateTimeFormat(lang === "fr" ? "fr" : "en-GB", {
  hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}),
}).format(ms);

export const dayName = (ms) => new Intl.DateTimeFormat(lang === "fr" ? "fr" : "en-GB", {
  weekday: "short", day: "numeric", month: "short",
}).format(ms);

export function spell(ms) {
  const minutes = Math.round(ms / 60000);
  if (minutes < 1) return words.now;
  const hours = Math.floor(minutes / 60);
  return words.in(hours ? `${hours} h ${String(minutes % 60).padStart(2, "0")}` : `${minutes} min`);
}

// An amount stays the exact decimal text the server sent; only its separator is the language's.
export const sum = (amount, currency) => `${lang === "fr" ? amount.replace(".", ",") : amount}\u00a0${currency}`;

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(10000), ...options });
  let body = {};
  try { body = await answer.json(); } catch { /* a proxy's own error page: the status says enough */ }
  return { status: answer.status, body };
}

export const post = (path, value, headers = {}) => ask(path, {
  method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(value),
});
