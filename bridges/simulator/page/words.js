// All words of the page, in French and English, and the few functions that pick and format them.

const WORDS = {
  fr: {
    lead: "Des téléphones pour essayer. Rien ne part vers de vrais numéros.",
    lapse: "Accéléré : une heure en dix secondes",
    lapseFixed: "Horloge réelle, on ne peut pas l’accélérer ici",
    phones: "Téléphones",
    add: "Ajouter un téléphone",
    phone: (n) => `Téléphone ${n}`,
    network: "Réseau",
    number: "Son numéro",
    to: "Écrit à",
    thread: "Conversation",
    presets: "Exemples",
    attach: "Envoyer une image",
    call: "Appeler",
    compose: "Message",
    send: "Envoyer",
    attachment: "Image",
    called: "Appel sans réponse",
    empty: "Écrivez quelque chose, ou prenez un exemple ci-dessous.",
    waiting: "Rien ne vient tout de suite. S’il y a une réponse, elle vient entre 60 et 105 minutes après le premier message.",
    waitingFast: "Rien ne vient tout de suite. S’il y a une réponse, elle vient une heure plus tard : dix à vingt secondes ici.",
    free: "gratuit",
    cost: (sum, parts) => `${sum}, ${parts} ${parts > 1 ? "parties" : "partie"}`,
    operator: "Ce que voit l’équipe",
    away: "La vue de l’équipe n’est ouverte qu’à qui a lancé la démonstration, par le lien affiché dans son terminal.",
    lost: "Le serveur ne répond pas. Nouvel essai…",
    bill: "Dépensé jusqu’ici",
    naive: "À la manière de 2017",
    decisions: "Décisions",
    clusters: "Retenues",
    clusterCost: (sum, about) => `${about ? "environ " : ""}${sum}`,
    clusterNoCost: "coût encore inconnu",
    until: (time) => `jusqu’à ${time}`,
    expires: (time) => `la première tombe à ${time}`,
    none: "Aucun message pour l’instant.",
    pause: "Tout suspendre",
    resume: "Reprendre",
    mode: "Mode",
    paused: "suspendu",
    modes: {
      normal: "normal", tight: "prudence", "free-only": "gratuit seulement",
      review: "sur décision", "receive-only": "réception seule",
    },
    queue: "File",
    scheduled: "prévues",
    held: "retenues",
    sending: "en cours",
    unknown: "incertaines",
    next: "Prochaine réponse",
    cap: "Plafond du jour",
    nocap: "sans plafond",
    used: (used, cap) => `${used} sur ${cap}`,
    inbound: "Reçu (à part)",
    people: "Personnes, messages, réponses",
    approve: "Approuver",
    drop: "Écarter",
    in: (time) => `dans ${time}`,
    now: "tout de suite",
    decision: { reply: "Réponse", hold: "Retenue", silence: "Silence", opt_out: "STOP" },
    state: {
      scheduled: "prévue", held: "retenue", sending: "en cours", sent: "envoyée",
      delivered: "remise", failed: "échouée", unknown: "incertaine",
      cancelled: "annulée", expired: "expirée",
    },
    hello: ["Premier bonjour", "Salut, c’est Max, on s’est vus hier soir. Tu fais quoi ce week-end ?"],
    insist: ["Il insiste", "Tu réponds pas ?"],
    stop: ["STOP", "STOP"],
    code: ["Code à usage unique", "Votre code de vérification est 482913. Ne le communiquez à personne."],
    shortcode: ["Numéro court", "Promo : -20 % ce week-end. STOP au 36111"],
    abroad: ["De l’étranger", "Hey, it’s Max from last night, is this you?"],
    notSent: "Pas envoyé :",
    offline: "le serveur ne répond pas. Réessayez.",
    lang: "English",
    langLabel: "Switch to English",
  },
  en: {
    lead: "Phones to try it with. Nothing goes to real numbers.",
    lapse: "Time lapse: an hour in ten seconds",
    lapseFixed: "Real clock, it cannot run faster here",
    phones: "Phones",
    add: "Add a phone",
    phone: (n) => `Phone ${n}`,
    network: "Network",
    number: "Their number",
    to: "Writes to",
    thread: "Conversation",
    presets: "Examples",
    attach: "Send a picture",
    call: "Call",
    compose: "Message",
    send: "Send",
    attachment: "Picture",
    called: "Unanswered call",
    empty: "Write something, or take an example below.",
    waiting: "Nothing comes at once. If there is a reply, it comes 60 to 105 minutes after the first message.",
    waitingFast: "Nothing comes at once. If there is a reply, it comes an hour later: ten to twenty seconds here.",
    free: "free",
    cost: (sum, parts) => `${sum}, ${parts} ${parts > 1 ? "parts" : "part"}`,
    operator: "What the team sees",
    away: "The team’s view is open only to whoever started the demo, by the link shown in their terminal.",
    lost: "The server does not answer. Trying again…",
    bill: "Spent so far",
    naive: "The 2017 way",
    decisions: "Decisions",
    clusters: "Held",
    clusterCost: (sum, about) => `${about ? "about " : ""}${sum}`,
    clusterNoCost: "cost not known yet",
    until: (time) => `until ${time}`,
    expires: (time) => `the first is dropped at ${time}`,
    none: "No message yet.",
    pause: "Pause everything",
    resume: "Resume",
    mode: "Mode",
    paused: "paused",
    modes: {
      normal: "normal", tight: "tight", "free-only": "free networks only",
      review: "review", "receive-only": "receive only",
    },
    queue: "Queue",
    scheduled: "scheduled",
    held: "held",
    sending: "sending",
    unknown: "uncertain",
    next: "Next reply",
    cap: "Cap of the day",
    nocap: "no cap",
    used: (used, cap) => `${used} of ${cap}`,
    inbound: "Received (apart)",
    people: "People, messages, replies",
    approve: "Approve",
    drop: "Drop",
    in: (time) => `in ${time}`,
    now: "now",
    decision: { reply: "Reply", hold: "Held", silence: "Silence", opt_out: "STOP" },
    state: {
      scheduled: "scheduled", held: "held", sending: "sending", sent: "sent",
      delivered: "delivered", failed: "failed", unknown: "uncertain",
      cancelled: "cancelled", expired: "expired",
    },
    hello: ["First hello", "Hi, it’s Max, we met last night. What are you up to this weekend?"],
    insist: ["They insist", "No answer?"],
    stop: ["STOP", "STOP"],
    code: ["One-time code", "Your verification code is 482913. Do not share it with anybody."],
    shortcode: ["Short code", "Sale: 20% off this weekend. Text STOP to 36111"],
    abroad: ["From abroad", "Hey, it’s Max from last night, is this you?"],
    notSent: "Not sent:",
    offline: "the server does not answer. Try again.",
    lang: "Français",
    langLabel: "Passer au français",
  },
};

export const networkName = (network) => ({ sms: "SMS", signal: "Signal" })[network] || network;

export const remembered = {
  get(store, key) {
    try { return window[store].getItem(key); } catch { return null; }
  },
  set(store, key, value) {
    try { window[store].setItem(key, value); } catch { /* private mode: it is forgotten, that is all */ }
  },
};

const wanted = remembered.get("localStorage", "antirelou.lang") || navigator.language.slice(0, 2);
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
