// What it would cost with other people's numbers: the configured prices, and what to know first.

import * as operator from "/phone/operator.js";
import { ask, lang, make, remembered, sum, words } from "/phone/words.js";

const $ = (id) => document.getElementById(id);
const PARTS_2017 = 2;
const MESSAGES_2017 = 25000;
const A_HUNDRED = 100;

let told = null;
let chosen = "";
let drawnCap;

export async function wire(channel) {
  chosen = remembered.get("sessionStorage", "antirelou.country") || (lang === "fr" ? "FR" : "GB");
  $("country").addEventListener("change", () => {
    chosen = $("country").value;
    remembered.set("sessionStorage", "antirelou.country", chosen);
    redraw();
  });
  const { status, body } = await ask(`/phone/${encodeURIComponent(channel)}/api/prices`).catch(() => ({}));
  if (status !== 200) return;
  told = body;
  redraw();
}

// The cap comes with the operator's view, and may be changed by hand.
export function look() {
  if (told && operator.bill()?.cap_day !== drawnCap) redraw();
}

export function redraw() {
  if (!told) return;
  const names = new Intl.DisplayNames([lang], { type: "region" });
  const countries = Object.keys(told.prices).filter((code) => code !== "default")
    .sort((one, other) => names.of(one).localeCompare(names.of(other), lang));
  if ("default" in told.prices) countries.push("default");
  if (!countries.includes(chosen)) [chosen] = countries;
  $("country").replaceChildren(...countries.map((code) => make("option", {
    value: code, ...(code === chosen ? { selected: "" } : {}),
  }, code === "default" ? words.elsewhere : names.of(code))));
  const price = Number(told.prices[chosen]);
  const money = (amount, digits = 2) => sum(new Intl.NumberFormat(lang === "fr" ? "fr" : "en", {
    minimumFractionDigits: digits, maximumFractionDigits: digits,
  }).format(amount), told.currency);
  const cap = operator.bill()?.cap_day;
  drawnCap = cap;
  const rows = [
    [words.oneReply, money(price, 3).replace(/0(?=\u00a0)/, "")],
    [words.hundred, money(A_HUNDRED * price)],
    [words.freeNets, words.free],
    [words.like2017, money(MESSAGES_2017 * PARTS_2017 * price, 0), "naive"],
    ...(cap === undefined ? [] : [[words.hereAtMost, cap === null ? words.noCap : money(Number(cap)), "ours"]]),
  ];
  $("costs").replaceChildren(...rows.map(([label, value, kind = ""]) => make("div", { class: kind },
    make("dt", {}, label), make("dd", {}, value))));
  $("law").textContent = words.law[chosen] || words.law.other;
}
