// The phones: who writes, what was said, and the clock above them.

import * as forum from "/phone/forum.js";
import * as operator from "/phone/operator.js";
import * as scene from "/phone/scene.js";
import * as yours from "/phone/yours.js";
import {
  ask, clockTime, dayName, lang, make, networkName, post, remembered, sum, switchLanguage, translate, words,
} from "/phone/words.js";

const $ = (id) => document.getElementById(id);
const LAPSE = 360;
const FIRST_OF_SCENES = 8000;
const POLL_MS = 500;
const KEPT = "antirelou.phones";

let channels = [];
let phones = [];
let active = 0;
let time = { now_ms: Date.now(), speed: 1, can_change: false, at: performance.now() };
let shown = { key: "", lastSeq: 0 };
let pending = null; // a message not acknowledged yet keeps its id, so that trying again cannot double it

const api = (phone, name) => `/phone/${encodeURIComponent(phone.channel)}/api/${name}`;
const channelOf = (phone) => channels.find((channel) => channel.channel === phone.channel);
const identity = (phone) => (channelOf(phone).network === "sms" ? phone.number : phone.account);
const pretty = (value) => value.replace(/^(\+33)(\d)(\d\d)(\d\d)(\d\d)(\d\d)$/, "$1 $2 $3 $4 $5 $6");

function account() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// ------------------------------------------------------------------ phones

function newPhone(number, channel = channels[0].channel) {
  const next = 1 + Math.max(0, ...phones.map((phone) => phone.n));
  const fallback = `+3363998${String(next % 10000).padStart(4, "0")}`;
  const phone = { n: next, channel, to: "", account: account(), number: number ?? fallback, unread: 0, seq: 0, draft: "" };
  phones.push(phone);
  return phone;
}

function keep() {
  remembered.set("sessionStorage", KEPT, JSON.stringify({ phones, active }));
}

function restore() {
  try {
    const kept = JSON.parse(remembered.get("sessionStorage", KEPT) || "{}");
    phones = (kept.phones || []).filter((phone) => channelOf(phone));
    active = Math.min(kept.active || 0, Math.max(0, phones.length - 1));
  } catch { phones = []; }
  if (!phones.length) newPhone();
}

function drawTabs() {
  const label = (phone) => phone.role ? words[phone.role].who : (phone.number.startsWith("+") ? `…${phone.number.slice(-4)}` : phone.number || "?");
  $("tabs").replaceChildren(...phones.map((phone, place) => {
    const tab = make("button", {
      type: "button", role: "tab", id: `tab-${place}`, "aria-controls": "device",
      "aria-selected": String(place === active), tabindex: place === active ? "0" : "-1",
      "data-testid": `phone-tab-${place + 1}`, "aria-label": `${words.phone(phone.n)}, ${networkName(channelOf(phone).network)} ${phone.number}`,
      onclick: () => choose(place),
    }, make("span", {}, label(phone)), make("small", {}, networkName(channelOf(phone).network)));
    if (phone.unread && place !== active) tab.append(make("b", { class: "unread" }, String(phone.unread)));
    return tab;
  }));
  $("device").setAttribute("aria-labelledby", `tab-${active}`);
}

function choose(place, focus = false) {
  phones[active].draft = $("compose").value;
  active = place;
  phones[active].unread = 0;
  $("compose").value = phones[active].draft || "";
  grow();
  drawPhone();
  if (focus) $(`tab-${place}`).focus();
}

function drawPhone() {
  const phone = phones[active];
  const channel = channelOf(phone);
  drawTabs();
  $("device").classList.toggle("told", Boolean(phone.role));
  $("status").hidden = $("contact").hidden = !phone.role;
  $("network").replaceChildren(...channels.map((one) => make("option", {
    value: one.channel, ...(one === channel ? { selected: "" } : {}),
  }, channels.filter((other) => other.network === one.network).length > 1
    ? `${networkName(one.network)} (${one.channel})` : networkName(one.network))));
  $("number").value = phone.number;
  if (!channel.addresses.includes(phone.to)) phone.to = channel.addresses[0] || "";
  $("to").replaceChildren(...channel.addresses.map((value) => make("option", {
    value, ...(value === phone.to ? { selected: "" } : {}),
  }, pretty(value))));
  $("contactnumber").textContent = pretty(phone.to);
  keep();
  shown = { key: "", lastSeq: 0 };
  $("thread").replaceChildren();
  $("hint").textContent = "";
  complain("");
  read(phone);
}

// ------------------------------------------------------------------ thread

async function read(phone) {
  const path = api(phone, `thread?phone=${encodeURIComponent(identity(phone))}`);
  let answer;
  try { answer = await ask(path); } catch { return; }
  // Meanwhile the phone may have become another one (its number or network was changed).
  if (answer.status !== 200 || path !== api(phone, `thread?phone=${encodeURIComponent(identity(phone))}`)) return;
  const { messages, currency, run } = answer.body;
  const newest = messages.length ? messages[messages.length - 1].seq : 0;
  if (phone === phones[active]) {
    drawThread(phone, messages, currency, run);
  } else if (newest > phone.seq) {
    phone.unread += messages.filter((one) => one.seq > phone.seq && one.direction === "received").length;
    drawTabs();
  }
  phone.seq = newest; // after a restart of the server it begins anew, and so does this
}

function drawThread(phone, messages, currency, run) {
  const key = `${lang}/${run}/${phone.channel}/${identity(phone)}`;
  const list = $("thread");
  if (shown.key !== key) {
    list.replaceChildren();
    shown = { key, lastSeq: 0 };
  }
  const fresh = messages.filter((message) => message.seq > shown.lastSeq);
  for (const message of fresh) {
    list.append(bubble(phone, message, currency));
    shown.lastSeq = message.seq;
  }
  if (fresh.length) list.scrollTop = list.scrollHeight;
  const answered = messages.some((message) => message.direction === "received");
  $("hint").textContent = phone.role ? "" : !messages.length ? words.empty
    : answered ? "" : time.speed > 1 ? words.waitingFast : words.waiting;
}

// A scene has a clock of its own: the hour of the story, moved on by the demo's.
const shift = (phone) => phone.shift || 0;

function bubble(phone, message, currency) {
  const at = message.at_ms + shift(phone);
  const sent = message.direction === "sent";
  const said = { call: phone.role ? words.busy : words.called, attachment: words.attachment }[message.kind];
  const node = make("div", { class: sent ? "out" : "in" });
  const body = make("div", { class: `bubble ${message.kind}`, "data-testid": sent ? "bubble-out" : "bubble-in" });
  if (said) body.append(make("em", {}, said));
  if (message.text) body.append(make("span", {}, message.text));
  const foot = make("div", { class: "foot" }, make("time", { datetime: new Date(at).toISOString() }, clockTime(at)));
  if (!sent) {
    foot.append(" · ", make("span", { "data-testid": "cost" },
      message.free ? words.free : words.cost(sum(message.cost, currency), message.parts)));
  }
  node.append(body, foot);
  return node;
}

// ------------------------------------------------------------------ sending

function complain(text) {
  $("alert").hidden = !text;
  $("alert").textContent = text;
}

async function send(kind, text) {
  const phone = phones[active];
  const signal = channelOf(phone).network !== "sms";
  const body = { from: identity(phone), kind, text };
  if (phone.to) body.to = phone.to;
  if (signal && /^\+[1-9]\d{6,14}$/.test(phone.number)) body.number = phone.number;
  const same = JSON.stringify([phone.channel, body]);
  if (pending?.same !== same) pending = { same, id: account() };
  let answer;
  try { answer = await post(api(phone, "messages"), { id: pending.id, ...body }); } catch { answer = null; }
  if (answer?.status !== 200) {
    complain(`${words.notSent} ${answer?.body?.error || words.offline}`);
    return false;
  }
  pending = null;
  complain("");
  await read(phone);
  return true;
}

async function sendText() {
  const field = $("compose");
  const text = field.value;
  if (!text.trim()) return;
  field.value = "";
  grow();
  if (!await send("text", text) && !field.value) field.value = text;
  grow();
  field.focus();
}

function grow() {
  const field = $("compose");
  field.rows = 1;
  while (field.rows < 4 && field.scrollHeight > field.clientHeight + 4) field.rows += 1;
}

function drawPresets() {
  const sms = smsChannel();
  // The sender of an example: another kind of phone, made when it is first asked for.
  const presets = [["hello"], ["insist"], ["stop"]];
  if (sms) presets.push(["code", "36111"], ["shortcode", "36111"], ["abroad", "+12025550123"]);
  $("presets").replaceChildren(...presets.map(([name, sender]) => make("button", {
    type: "button", class: "small", "data-testid": `preset-${name}`,
    onclick: () => {
      if (sender) {
        let place = phones.findIndex((phone) => phone.number === sender && channelOf(phone) === sms);
        if (place < 0) {
          newPhone(sender, sms.channel);
          place = phones.length - 1;
        }
        choose(place);
      }
      $("compose").value = words[name][1];
      grow();
      $("compose").focus();
    },
  }, words[name][0])));
}

// ------------------------------------------------------------------ clock

async function readTime() {
  try {
    const { status, body } = await ask(api(phones[0], "speed"));
    if (status === 200) setTime(body);
  } catch { /* the next poll asks again */ }
}

function setTime(body) {
  time = { ...body, at: performance.now() };
  $("lapse").setAttribute("aria-checked", String(time.speed > 1));
  $("lapse").disabled = !time.can_change;
  $("lapse").querySelector(".label").textContent = time.can_change ? words.lapse : words.lapseFixed;
}

function tick() {
  const now = time.now_ms + (performance.now() - time.at) * time.speed;
  $("storyclock").textContent = clockTime(now + shift(phones[active]));
  scene.allow();
  forum.allow();
  $("clock").textContent = clockTime(now, true);
  $("day").textContent = dayName(now);
}

async function hurry(speed) {
  const { status, body } = await post(api(phones[0], "speed"), { speed }).catch(() => ({}));
  if (status === 200) setTime(body);
  return status === 200;
}

// ------------------------------------------------------------------ what a scene may do

const smsChannel = () => channels.find((channel) => channel.network === "sms");

const stage = {
  enter(role) {
    // Each time somebody else: one reply a person is the rule.
    const number = `+3363998${FIRST_OF_SCENES + crypto.getRandomValues(new Uint16Array(1))[0] % 2000}`;
    newPhone(number, smsChannel().channel);
    const phone = phones[phones.length - 1];
    phone.role = role;
    const start = new Date(stage.now());
    start.setHours(...words[role].at, 0, 0);
    phone.shift = start.getTime() - stage.now();
    choose(phones.length - 1);
    return phone;
  },
  now: () => time.now_ms + (performance.now() - time.at) * time.speed,
  isFront: (phone) => phones[active] === phone,
  show: (phone) => choose(phones.indexOf(phone)),
  send,
  hurry,
  field: $("compose"),
  async received(phone) {
    await read(phone);
    const { status, body } = await ask(api(phone, `thread?phone=${encodeURIComponent(identity(phone))}`));
    return status === 200 ? body.messages.filter((one) => one.direction === "received") : [];
  },
};

// ------------------------------------------------------------------ wiring

function wire() {
  $("add").addEventListener("click", () => {
    newPhone();
    choose(phones.length - 1);
    $("compose").focus();
  });
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) choose((active + step + phones.length) % phones.length, true);
  });
  $("network").addEventListener("change", () => { phones[active].channel = $("network").value; phones[active].seq = 0; drawPhone(); });
  $("number").addEventListener("change", () => {
    const typed = $("number").value.trim();
    phones[active].number = typed.startsWith("+") ? typed.replace(/[\s().-]/g, "") : typed;
    phones[active].account = account();
    phones[active].seq = 0;
    drawPhone();
  });
  $("to").addEventListener("change", () => { phones[active].to = $("to").value; keep(); });
  $("form").addEventListener("submit", (event) => { event.preventDefault(); sendText(); });
  $("compose").addEventListener("input", grow);
  $("compose").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); sendText(); }
  });
  $("attach").addEventListener("click", () => send("attachment", ""));
  $("call").addEventListener("click", () => send("call", ""));
  $("lapse").addEventListener("click", async () => {
    if (!await hurry(time.speed > 1 ? 1 : LAPSE)) complain(words.offline);
    read(phones[active]);
  });
  $("lang").addEventListener("click", () => {
    switchLanguage();
    setTime({ ...time, now_ms: time.now_ms + (performance.now() - time.at) * time.speed });
    drawPresets();
    drawPhone();
    operator.redraw();
    scene.redraw();
    forum.redraw();
    yours.redraw();
  });
}

// One timer a job; each waits for its own answer, so that a slow server is not asked twice at once.
function poll(job, every) {
  const turn = async () => {
    const again = document.hidden ? true : await job();
    setTimeout(turn, again === false ? every * 20 : every);
  };
  turn();
}

async function start() {
  translate();
  for (;;) {
    try {
      const { status, body } = await ask("/api/channels");
      if (status === 200) { channels = body.filter((channel) => channel.kind === "simulator"); break; }
    } catch { /* not up yet */ }
    complain(words.lost);
    await new Promise((done) => setTimeout(done, 1000));
  }
  if (!channels.length) { complain("0 simulator"); return; }
  restore();
  wire();
  drawPresets();
  $("compose").value = phones[active].draft || "";
  drawPhone();
  poll(() => read(phones[active]), POLL_MS);
  poll(async () => { for (const phone of phones) if (phone !== phones[active]) await read(phone); }, 4 * POLL_MS);
  poll(readTime, 4 * POLL_MS);
  poll(async () => {
    const again = await operator.look();
    yours.look();
    return again;
  }, POLL_MS);
  await readTime();
  $("story").hidden = $("forum").hidden = !time.can_change || !smsChannel();
  scene.wire(stage, () => smsChannel() && time.can_change && !forum.isOn());
  if (smsChannel()) {
    forum.wire(smsChannel().channel, () => time.can_change && !scene.isOn());
    yours.wire(smsChannel().channel);
    poll(forum.look, POLL_MS);
  } else {
    $("yours").hidden = true;
  }
  setInterval(tick, 100);
}

start();
