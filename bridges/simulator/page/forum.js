// The forum let loose: two bills over time, and what the crowd itself could tell.

import * as operator from "/phone/operator.js";
import { ask, lang, make, post, sum, words } from "/phone/words.js";

const $ = (id) => document.getElementById(id);
const WIDE = 640;
const HIGH = 250;
const FOOT = 4;
const DAY_SHARE = 0.26; // of the width, where an ordinary day comes first
const MOST_POINTS = 400;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const KINDS = ["raid", "viral", "bait"];

let path = "";
let may = () => false;
let seen = null; // what the server last told
let before = null; // the bills when it began
let points = [];

export const isOn = () => Boolean(seen?.running);

export function wire(channel, allowed) {
  path = `/phone/${encodeURIComponent(channel)}/api/forum`;
  may = allowed;
  for (const kind of KINDS) $(kind).addEventListener("click", () => loose(kind));
  $("halt").addEventListener("click", () => tell(null));
}

async function loose(kind) {
  if (!may() || isOn()) return;
  await operator.look();
  const { bill } = operator;
  before = bill() && { ours: Number(bill().replies), naive: Number(bill().naive_2017) };
  points = [];
  await tell(kind);
  $("halt").focus({ preventScroll: true });
  $("forum").scrollIntoView({ block: "start", behavior: calm.matches ? "auto" : "smooth" });
}

async function tell(kind) {
  const { status, body } = await post(path, { kind, lang }).catch(() => ({}));
  complain(status === 200 ? "" : body?.error || words.offline);
  if (status === 200) take(body);
}

function complain(text) {
  $("forumalert").hidden = !text;
  $("forumalert").textContent = text;
}

// Returns whether it is worth asking again soon.
export async function look() {
  let answer;
  try { answer = await ask(path); } catch { return true; }
  if (answer.status === 200) take(answer.body);
  return true;
}

// Our own ledger where it may be seen, else what the phones were told.
function bills() {
  const bill = operator.bill();
  if (bill && before) {
    return { currency: bill.currency, ours: Number(bill.replies) - before.ours, naive: Number(bill.naive_2017) - before.naive };
  }
  return { currency: seen.currency, ours: Number(seen.spent), naive: Number(seen.naive_2017) };
}

function take(body) {
  if (body.run !== seen?.run) points = [];
  seen = body;
  if (!seen.kind) return;
  if (seen.running || !points.length) {
    const { ours, naive } = bills();
    points.push({ at: Math.min(1, (seen.now_ms - seen.started_ms) / seen.lasts_ms), ours, naive });
    if (points.length > MOST_POINTS) points = points.filter((_, place) => place % 2 === 0 || place === points.length - 1);
  }
  draw();
}

// Not while a scene has the clock, nor twice at once.
export function allow() {
  for (const kind of KINDS) $(kind).disabled = isOn() || !may();
}

export function redraw() {
  if (seen?.kind) draw();
}

function draw() {
  const on = isOn();
  $("race").hidden = false;
  $("forum").classList.toggle("on", on);
  allow();
  if ($("halt").hidden === on) {
    const leaving = document.activeElement === $("halt");
    $("halt").hidden = !on;
    if (leaving) $(seen.kind).focus({ preventScroll: true });
  }
  const { currency, ours, naive } = bills();
  const money = (amount) => sum(amount.toFixed(2), currency);
  $("racenaive").textContent = money(naive);
  $("raceours").textContent = money(ours);
  drawChart(money(naive), money(ours));
  drawTold(money(naive), money(ours));
  drawTally();
}

// The ordinary day is long and calm: it gets a quarter of the width, the evening the rest.
function across(share) {
  const day = (seen.begins_ms - seen.started_ms) / seen.lasts_ms;
  if (!day) return share * WIDE;
  return WIDE * (share < day ? (share / day) * DAY_SHARE : DAY_SHARE + ((share - day) / (1 - day)) * (1 - DAY_SHARE));
}

function drawChart(naive, ours) {
  const cap = operator.bill()?.cap_day === null ? null : Number(operator.bill()?.cap_day ?? NaN);
  const most = 1.08 * Math.max(cap ? 1.6 * cap : 0, 20, ...points.map((one) => Math.max(one.naive, one.ours)));
  const up = (amount) => HIGH - FOOT - (amount / most) * (HIGH - 2 * FOOT);
  const line = (name) => points.map((one, place) => `${place ? "L" : "M"}${across(one.at).toFixed(1)} ${up(one[name]).toFixed(1)}`).join("");
  const end = points.length ? across(points[points.length - 1].at).toFixed(1) : 0;
  $("chartnaive").setAttribute("d", line("naive"));
  $("chartours").setAttribute("d", line("ours"));
  $("chartarea").setAttribute("d", points.length ? `${line("naive")}L${end} ${HIGH}L${across(points[0].at).toFixed(1)} ${HIGH}Z` : "");
  $("chartcap").setAttribute("d", cap ? `M0 ${up(cap).toFixed(1)}H${WIDE}` : "");
  const day = seen.begins_ms > seen.started_ms;
  $("chartnight").setAttribute("d", day ? `M0 0H${DAY_SHARE * WIDE}V${HIGH}H0Z` : "");
  $("axisday").hidden = !day;
  $("axiscap").textContent = cap ? words.capLine(sum(operator.bill().cap_day, operator.bill().currency)) : "";
  $("chart").setAttribute("aria-label", words.chart(naive, ours));
}

function drawTold(naive, ours) {
  const { roles, kind } = seen;
  const figures = {
    people: roles.person.wrote, answered: roles.person.answered,
    raiders: roles.raider.wrote, raidersAnswered: roles.raider.answered,
    misled: roles.misled.wrote, misledAnswered: roles.misled.answered, naive, ours,
  };
  const text = !isOn() ? `${words.end[kind](figures)} ${words.endMore(figures)}`
    : seen.now_ms < seen.begins_ms ? words.phase.day
      : seen.writing ? words.phase[kind] : words.phase.wait;
  if ($("phase").textContent !== text) $("phase").textContent = text;
}

function drawTally() {
  const { roles, kind } = seen;
  const number = (n) => new Intl.NumberFormat(lang).format(n);
  const of = (role) => words.of(number(role.answered), number(role.wrote));
  const crowd = kind === "raid" ? of(roles.raider) : kind === "bait" ? of(roles.misled) : number(0);
  const rows = [
    ["messages", words.wroteIn, number(seen.messages)],
    ["people", words.peopleOnTime, of(roles.person)],
    ["crowd", words.crowd[kind], crowd],
  ].filter(([name]) => name !== "crowd" || kind !== "viral");
  $("tally").replaceChildren(...rows.map(([name, label, value]) => make("div", {},
    make("dt", {}, label), make("dd", { "data-testid": `tally-${name}` }, value))));
}
