// The operator's strip: what the console API tells, redrawn only where it changed.

import { ask, clockTime, lang, make, networkName, post, remembered, spell, sum, words } from "/phone/words.js";

const $ = (id) => document.getElementById(id);
const drawn = new Map();
let last = null;

// The token comes once in the address and must not stay there (history, screenshots).
function token() {
  const here = new URL(location.href);
  const given = here.searchParams.get("token");
  if (given) {
    remembered.set("sessionStorage", "antirelou.token", given);
    here.searchParams.delete("token");
    history.replaceState(null, "", here);
    return given;
  }
  return remembered.get("sessionStorage", "antirelou.token") || "";
}
const headers = { "X-Console-Token": token() };

async function act(action, of = {}) {
  let said;
  try {
    const { body } = await post("/console/api/act", { action, ...of }, headers);
    said = body.message?.[lang];
  } catch { said = words.lost; }
  $("said").textContent = said || "";
  await look();
}

// Returns whether it is worth asking again soon.
export async function look() {
  let status, body;
  try { ({ status, body } = await ask("/console/api/state", { headers })); } catch { status = 0; }
  if (status === 403 || status === 404) {
    away(words.away);
    return false;
  }
  if (status !== 200) {
    if (!last) away(words.lost);
    return true;
  }
  last = body;
  draw();
  return true;
}

function away(text) {
  last = null;
  $("opbody").hidden = $("pause").hidden = true;
  $("opaway").hidden = false;
  $("opaway").textContent = text;
}

export function redraw() {
  drawn.clear();
  $("decisions").replaceChildren();
  $("clusters").replaceChildren();
  $("said").textContent = "";
  if (last) draw();
}

function draw() {
  $("opbody").hidden = $("pause").hidden = false;
  $("opaway").hidden = true;
  $("pause").textContent = last.paused ? words.resume : words.pause;
  $("pause").classList.toggle("on", last.paused);
  const { bill } = last;
  $("bill").textContent = sum(bill.replies, bill.currency);
  $("naive").textContent = sum(bill.naive_2017, bill.currency);
  const most = Math.max(Number(bill.replies), Number(bill.naive_2017)) || 1;
  $("billbar").style.width = `${(100 * Number(bill.replies)) / most}%`;
  $("naivebar").style.width = `${(100 * Number(bill.naive_2017)) / most}%`;
  drawModes();
  drawFacts(bill);
  drawClusters();
  drawDecisions();
}

// What the forum's race shows beside its own figures; null while nobody may see it.
export const bill = () => last?.bill || null;

const MODES = ["normal", "tight", "free-only", "review", "receive-only"];

// "Automatic" is what the rules decide: the API calls it normal without an end.
function drawModes() {
  const text = JSON.stringify([lang, last.mode, last.mode_by_hand]);
  if (drawn.get("modes") === text) return;
  drawn.set("modes", text);
  const focused = document.activeElement?.dataset?.mode;
  $("modes").replaceChildren(...MODES.map((mode) => {
    const on = mode === "normal" ? !last.mode_by_hand : last.mode_by_hand && last.mode === mode;
    return make("button", {
      type: "button", class: "small", "aria-pressed": String(on), "data-mode": mode, "data-testid": `op-mode-${mode}`,
      onclick: () => act("mode", { mode }),
    }, mode === "normal" ? words.auto : words.modes[mode]);
  }));
  if (focused) $("modes").querySelector(`[data-mode="${focused}"]`)?.focus();
}

function drawFacts(bill) {
  const { queue } = last;
  const waiting = ["scheduled", "held", "sending", "unknown"]
    .filter((state) => queue[state] || state === "scheduled" || state === "held")
    .map((state) => `${queue[state]} ${words[state]}`).join(", ");
  const mode = words.modes[last.mode] || last.mode;
  const rows = [
    ["mode", last.paused ? `${mode}, ${words.paused}` : mode, modeWhy()],
    ["queue", waiting],
    ["next", last.next_due_ms === null ? "–" : `${clockTime(last.next_due_ms)} (${spell(last.next_due_ms - last.now_ms)})`],
    ["cap", bill.cap_day === null ? words.nocap
      : words.used(sum(bill.used_today, bill.currency), sum(bill.cap_day, bill.currency))],
    ["inbound", sum(bill.inbound, bill.currency)],
    ["people", `${last.people}, ${last.messages}, ${last.replies}`],
  ];
  const text = JSON.stringify([lang, rows]);
  if (drawn.get("facts") === text) return;
  drawn.set("facts", text);
  $("facts").replaceChildren(...rows.map(([name, value, why]) => make("div", { "data-testid": `op-${name}` },
    make("dt", {}, words[name]), make("dd", {}, value), ...(why ? [make("dd", { class: "why" }, why)] : []))));
}

// A quiet house needs no reason.
function modeWhy() {
  const why = last.mode_why?.[lang] || last.mode_why?.en;
  if (!why || (last.mode === "normal" && last.mode_until_ms === null)) return "";
  return last.mode_until_ms === null ? why : `${why} ${words.until(clockTime(last.mode_until_ms))}`;
}

// One line for what is held together, one gesture for all of it.
function drawClusters() {
  const clusters = last.clusters || [];
  $("held").hidden = !clusters.length;
  const before = drawn.get("clusters") || new Map();
  const now = new Map();
  for (const cluster of clusters) {
    const text = JSON.stringify(cluster);
    const known = before.get(cluster.code);
    now.set(cluster.code, known?.text === text ? known : { text, node: clusterLine(cluster, known?.node) });
  }
  drawn.set("clusters", now);
  const nodes = [...now.values()].map((entry) => entry.node);
  const list = $("clusters");
  for (const node of [...list.children]) if (!nodes.includes(node)) node.remove();
  nodes.forEach((node, place) => {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] || null);
  });
}

// Its figures change with every new member: the line and its buttons stay, for whoever is on one.
function clusterLine(cluster, known) {
  const cost = cluster.cost === null ? words.clusterNoCost
    : words.clusterCost(sum(cluster.cost, last.bill.currency), cluster.estimated);
  const why = cluster.why[lang] || cluster.why.en;
  const told = `${cost} · ${words.expires(clockTime(cluster.expires_ms))}`;
  if (known) {
    known.querySelector("p").textContent = why;
    known.querySelector(".dfoot .soft").textContent = told;
    return known;
  }
  const button = (action, kind) => make("button", {
    type: "button", class: `small${kind}`, "data-testid": `op-cluster-${action}`,
    "aria-label": `${words[action]} ${cluster.code}`, onclick: () => act(action, { cluster: cluster.code }),
  }, words[action]);
  return make("li", { class: "decision hold", "data-testid": "op-cluster", "data-code": cluster.code },
    make("div", { class: "dhead" }, make("span", { class: "chip" }, cluster.code)),
    make("p", {}, why),
    make("div", { class: "dfoot" }, make("span", { class: "soft" }, told), button("approve", " go"), button("drop", "")));
}

// Only changed lines are replaced, so that a button keeps its focus between two polls.
function drawDecisions() {
  const list = $("decisions");
  if (!last.decisions.length) {
    list.replaceChildren(make("li", { class: "soft" }, words.none));
    drawn.delete("lines");
    return;
  }
  const before = drawn.get("lines") || new Map();
  const now = new Map();
  for (const decision of last.decisions) {
    const text = JSON.stringify(decision);
    const known = before.get(decision.id);
    const entry = known?.text === text ? known : { text, node: line(decision) };
    if (!known) entry.node.classList.add("fresh");
    now.set(decision.id, entry);
  }
  drawn.set("lines", now);
  const nodes = [...now.values()].map((entry) => entry.node);
  for (const node of [...list.children]) if (!nodes.includes(node)) node.remove();
  nodes.forEach((node, place) => {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] || null);
  });
}

function line(decision) {
  const { reply } = decision;
  const node = make("li", { class: `decision ${decision.decision}`, "data-testid": "op-decision", "data-id": decision.id });
  node.append(make("div", { class: "dhead" },
    make("span", { class: "chip" }, words.decision[decision.decision] || decision.decision),
    make("span", { class: "soft" }, `${decision.who} · ${networkName(decision.network)} · ${clockTime(decision.at_ms)}`)));
  node.append(make("p", {}, decision.words[lang] || decision.words.en));
  if (!reply) return node;
  const cost = reply.cost === null ? "" : ` · ${Number(reply.cost) ? sum(reply.cost, last.bill.currency) : words.free}`;
  const due = reply.due_ms && ["scheduled", "held"].includes(reply.state) ? ` · ${clockTime(reply.due_ms)}` : "";
  const foot = make("div", { class: "dfoot" }, make("span", { class: "soft", "data-testid": "op-state", "data-state": reply.state },
    `${words.state[reply.state] || reply.state}${due}${cost}`));
  if (reply.state === "held") {
    foot.append(
      make("button", { type: "button", class: "small go", "data-testid": "op-approve", onclick: () => act("approve", { reply: reply.id }) }, words.approve),
      make("button", { type: "button", class: "small", "data-testid": "op-drop", onclick: () => act("drop", { reply: reply.id }) }, words.drop),
    );
  }
  node.append(foot);
  return node;
}

$("pause").addEventListener("click", () => act(last?.paused ? "resume" : "pause"));
