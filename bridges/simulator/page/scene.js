// One evening on one phone, told in captions. Everything in it happens: the messages are sent, the
// reply is the program's own, only the clock is hurried and the hour is the story's.

import { lang, make, words } from "/phone/words.js";

const $ = (id) => document.getElementById(id);
const STEPS = ["open", "call", "insist", "wait", "reply", "more", "end"];
const WALK = 60; // a minute a second
const RUN = 900; // an hour in four seconds
const DASH = 1800;
const PATIENCE = 4 * 3600000; // of the demo's time
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let stage = null;
let may = () => false;
let playing = null; // { role, step, minutes, phone, skipped, over }
let wake = () => {};

export const isOn = () => Boolean(playing && !playing.over);

export function wire(of, allowed) {
  stage = of;
  may = allowed;
  $("playhis").addEventListener("click", () => play("his"));
  $("playhers").addEventListener("click", () => play("hers"));
  $("skip").addEventListener("click", skip);
  $("leave").addEventListener("click", leave);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && playing) leave();
  });
  redraw();
}

// Not while something else hurries the clock.
export function allow() {
  $("playhis").disabled = $("playhers").disabled = !may();
}

export function redraw() {
  const role = playing?.role;
  $("playhis").textContent = role === "his" ? words.replay : words.playHis;
  $("playhers").textContent = role === "hers" ? words.replay : words.playHers;
  $("story").classList.toggle("on", Boolean(playing));
  $("caption").hidden = !playing;
  $("leave").hidden = !playing;
  $("skip").hidden = !isOn();
  $("playhis").hidden = $("playhers").hidden = isOn();
  if (!playing) return;
  const said = words[role][playing.step] ?? words[playing.step];
  const text = typeof said === "function" ? said(playing.minutes) : said;
  if ($("captiontext").textContent !== text) $("captiontext").textContent = text;
  $("captiontext").lang = lang;
  const at = STEPS.indexOf(playing.step);
  $("steps").replaceChildren(...STEPS.map((_, place) => make("li", { class: place <= at ? "done" : "" })));
}

function told(step) {
  playing.step = step;
  redraw();
}

function skip() {
  playing.skipped = true;
  wake();
  $("leave").focus();
}

function leave() {
  const focus = playing?.role === "hers" ? $("playhers") : $("playhis");
  const was = playing;
  playing = null;
  wake();
  if (was && !was.over) stage.hurry(1);
  stage.field.readOnly = false;
  redraw();
  focus.focus();
}

// Resolves after so long, at once when skipped or left.
function pause(ms) {
  if (!playing || playing.skipped) return Promise.resolve();
  return new Promise((done) => {
    wake = done;
    setTimeout(done, ms);
  });
}

async function type(text) {
  const field = stage.field;
  const show = (part) => {
    field.value = part;
    field.dispatchEvent(new Event("input"));
  };
  field.readOnly = true;
  if (!calm.matches) {
    for (let end = 1; end <= text.length && playing && !playing.skipped; end += 2) {
      show(text.slice(0, end));
      await pause(28);
    }
  }
  show(text);
  await pause(350);
  show("");
}

// The phone of the scene comes back to the front for it, should somebody have looked at another.
async function say(run, kind, text) {
  if (playing !== run) return;
  if (!stage.isFront(run.phone)) stage.show(run.phone);
  if (kind === "text") await type(text);
  if (playing === run) await stage.send(kind, text);
}

async function play(role) {
  if (!may() || isOn()) return;
  await stage.hurry(1); // and know what time it is
  const run = { role, step: "open", minutes: 0, phone: stage.enter(role), skipped: false, over: false };
  playing = run;
  redraw();
  $("skip").focus({ preventScroll: true });
  $("story").scrollIntoView({ block: "start", behavior: calm.matches ? "auto" : "smooth" });
  const first = stage.now();
  await pause(1500);
  const said = words[role];
  await say(run, "text", said.first);
  if (playing === run) await stage.hurry(WALK);
  await pause(2600);
  if (playing === run) told("call");
  await pause(1400);
  await say(run, "call", "");
  await pause(3200);
  if (playing === run) told("insist");
  await pause(900);
  await say(run, "text", said.again);
  await pause(3000);
  if (playing === run) told("wait");
  await pause(700);
  if (playing === run) await reply(run, first);
  if (playing === run && run.step === "reply") await after(run, said);
  if (playing !== run) return;
  run.over = true;
  stage.field.readOnly = false;
  await stage.hurry(1);
  redraw();
}

async function reply(run, first) {
  await stage.hurry(run.skipped ? DASH : RUN);
  let hurried = run.skipped;
  let found = [];
  while (playing === run && !(found = await stage.received(run.phone)).length) {
    if (stage.now() - first > PATIENCE) {
      told("sceneHeld");
      return;
    }
    if (run.skipped && !hurried) hurried = await stage.hurry(DASH);
    await new Promise((done) => setTimeout(done, 120));
  }
  if (playing !== run) return;
  await stage.hurry(WALK);
  run.minutes = Math.round((found[0].at_ms - first) / 60000);
  told("reply");
  await pause(6000);
}

async function after(run, said) {
  told("more");
  await say(run, "text", said.last);
  await pause(700);
  if (playing !== run) return;
  await stage.hurry(DASH);
  await pause(2600);
  if (playing === run) told("end");
}
