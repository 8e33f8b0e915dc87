/** The script of the gate's page. It runs in the page alone, under a policy that lets nothing else run. */

/** What the page says when something on it was ticked or written, and when it is shown; no answer to the plan. */
export const KEPT = "kept";

export const SCRIPT = `
const vscode = acquireVsCodeApi();
const { plan, folder, page } = document.body.dataset;
const all = (selector, of = document) => [...of.querySelectorAll(selector)];
// A page that was out of sight is made again from what it was first; what was done on it since is in its state.
const last = vscode.getState();
const given = JSON.parse(document.body.dataset.kept);
const kept = last?.page === page ? last : given;
let inFile = JSON.parse(document.body.dataset.notes);
let notes = kept.notes ?? [];

const said = document.querySelector("[role=status]");
const send = document.querySelector("button[data-answer=sendNotes]");
const approve = document.querySelector("button[data-answer=approve]");
const changes = document.getElementById("changes");
const feedback = changes?.querySelector("textarea");
const answers = all("textarea[data-question]");

const many = (count, what) => count + " " + what + (count === 1 ? "" : "s");
function element(tag, props, ...inside) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...inside);
  return made;
}
function button(text, title, does, className = "") {
  const made = element("button", { type: "button", textContent: text, title, className });
  made.addEventListener("click", does);
  return made;
}

// Checks.
const checks = all("label.check input");
const idOf = (box) => box.dataset.trust ?? box.dataset.remember;
const chosen = (kind) => {
  const ids = checks.filter((box) => box.checked && kind in box.dataset).map(idOf);
  return ids.length === 0 ? undefined : ids;
};

// Tasks: each with what it needs.
const picks = all("input.pick");
const needs = (box) => JSON.parse(box.dataset.needs);
const picked = () => picks.filter((box) => box.checked).map((box) => box.dataset.task);
function follow(box, moved) {
  for (const other of picks) {
    const [above, below] = box.checked ? [box, other] : [other, box];
    if (other.checked !== box.checked && needs(above).includes(below.dataset.task)) {
      other.checked = box.checked;
      moved.push(other.dataset.task);
      follow(other, moved);
    }
  }
}
function pick(box) {
  const moved = [];
  follow(box, moved);
  const { task } = box.dataset;
  const [is, it, need] = moved.length === 1 ? ["is", "it", "needs"] : ["are", "they", "need"];
  const why = box.checked ? task + " needs " + (moved.length === 1 ? "it" : "them") : it + " " + need + " " + task;
  said.textContent = moved.length === 0 ? "" : moved.join(", ") + " " + is + " " + (box.checked ? "picked" : "left out") + " too: " + why + ".";
  keep();
}
function countTasks() {
  const count = picked().length;
  approve.disabled = picks.length > 0 && count === 0;
  approve.textContent = count === picks.length || count === 0 ? "Approve" : "Approve " + count + " of " + picks.length + " Tasks";
  approve.title = approve.disabled ? "Pick at least one task" : "The agents begin" + (count < picks.length ? " with " + picked().join(", ") : "");
}

// Notes: below each heading those on what stands there, and a box for another one.
const places = all(".head[data-about]").map((head) => {
  const { about, kind, name } = head.dataset;
  const list = head.nextElementSibling;
  const box = element("textarea", { rows: 3, placeholder: "What should be different about " + name + "?" });
  box.setAttribute("aria-label", "Note on " + name);
  const save = () => {
    const text = box.value.trim();
    if (text !== "") {
      notes.push({ about, kind, text });
    }
    box.value = "";
    editor.hidden = true;
    draw();
    keep();
    add.focus();
  };
  const drop = () => {
    box.value = "";
    editor.hidden = true;
    keep();
    add.focus();
  };
  const editor = element("div", { className: "editor", hidden: true }, box, element("div", { className: "row" },
    button("Save Note", "Kept on this page until you send it (Ctrl+Enter)", save),
    button("Discard", "Throw away what is written here", drop),
    element("span", { className: "hint", textContent: "Ctrl+Enter saves it, Ctrl+Shift+Enter sends all" })));
  const open = () => {
    editor.hidden = false;
    box.focus();
  };
  const add = button("Add Note", "Say what should be different about " + name, open, "add");
  head.append(add);
  const cards = element("div", {});
  list.append(cards, editor);
  box.addEventListener("input", keep);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
      done(event);
      save();
    } else if (event.key === "Escape" && box.value.trim() === "") {
      done(event);
      drop();
    }
  });
  return { about, kind, box, editor, cards, open };
});
function done(event) {
  event.preventDefault();
  event.stopPropagation();
}
// A note on what is gone from the plan stands at its top.
const placeOf = (note) => places.find(({ about, kind }) => about === note.about && kind === note.kind) ?? places[0];
function card(label, text, edit, remove) {
  const words = label === "" ? [] : [element("span", { className: "tag", textContent: label })];
  return element("div", { className: "note" }, ...words, element("p", { textContent: text }),
    element("div", { className: "row" }, button("Edit", "Change this note: " + text, edit), button("Remove", "Take this note away: " + text, remove)));
}
function draw() {
  for (const { cards } of places) {
    cards.replaceChildren();
  }
  for (const note of notes) {
    const place = placeOf(note);
    const drop = () => {
      notes = notes.filter((other) => other !== note);
      draw();
      keep();
    };
    const edit = () => {
      const draft = place.box.value.trim();
      notes = notes.flatMap((other) => (other !== note ? [other] : draft === "" ? [] : [{ ...note, text: draft }]));
      place.box.value = note.text;
      draw();
      place.open();
      keep();
    };
    const isHere = place.about === note.about && place.kind === note.kind;
    place?.cards.append(card(isHere ? "" : "on " + note.about + ", which is gone", note.text, edit, drop));
  }
  for (const { line, task, text } of inFile) {
    const place = placeOf({ about: task ?? "", kind: task === null ? "plan" : "task" });
    place?.cards.append(card("in plan.md", text, () => say("openNote", { line }), () => say("discardNote", { line })));
  }
}

// What is sent: each note with what it is about.
function written() {
  const drafts = places.map(({ about, kind, box }) => ({ about, kind, text: box.value.trim() }));
  const on = ({ about, kind, text }) =>
    kind === "task" ? { task: about, text } : { text: kind === "section" ? "On “" + about + "”: " + text : text };
  return [
    ...(feedback == null ? [] : [{ text: feedback.value.trim() }]),
    ...answers.map((box) => ({ text: box.value.trim() && "On the question “" + box.dataset.question + "”: " + box.value.trim() })),
    ...[...notes, ...drafts].filter(({ text }) => text !== "").map(on),
  ].filter(({ text }) => text !== "");
}
function countNotes() {
  const count = written().length + inFile.length;
  const answered = answers.filter((box) => box.value.trim() !== "").length;
  send.hidden = count === 0;
  send.textContent = "Send " + (answered === 0 || answered < count ? many(count, "Note") : many(count, "Answer"));
}

function state() {
  const of = (boxes, key) => Object.fromEntries(boxes.filter((box) => box.value !== "").map((box) => [key(box), box.value]));
  return {
    page, folder, plan, notes,
    drafts: places.filter(({ box }) => box.value !== "").map(({ about, kind, box }) => ({ about, kind, text: box.value })),
    answers: of(answers, (box) => box.dataset.question),
    feedback: feedback?.value ?? "",
    asks: changes?.hidden === false,
    ticked: checks.filter((box) => box.checked).map(idOf),
    left: picks.filter((box) => !box.checked).map((box) => box.dataset.task),
    scroll: window.scrollY,
  };
}
function say(answer, more = {}) {
  const tasks = picked().length === picks.length ? undefined : picked();
  const ticked = { trustChecks: chosen("trust"), rememberChecks: chosen("remember") };
  vscode.postMessage({ answer, plan, checks: ticked, tasks, notes: written(), kept: state(), ...more });
}
function keep() {
  countNotes();
  countTasks();
  vscode.setState(state());
  say("${KEPT}");
}
function askForChanges(isOpen) {
  changes.hidden = !isOpen;
  document.querySelector("button[data-opens]").setAttribute("aria-expanded", String(isOpen));
}

function start() {
  for (const box of checks) {
    box.checked = kept.plan === plan && (kept.ticked ?? []).includes(idOf(box));
    box.addEventListener("change", keep);
  }
  for (const box of picks) {
    box.checked = !(kept.plan === plan && (kept.left ?? []).includes(box.dataset.task));
    box.addEventListener("change", () => pick(box));
  }
  for (const draft of kept.drafts ?? []) {
    const place = placeOf(draft);
    if (place !== undefined) {
      place.box.value = [place.box.value, draft.text].filter((text) => text !== "").join("\\n");
      place.editor.hidden = false;
    }
  }
  for (const box of answers) {
    box.value = kept.answers?.[box.dataset.question] ?? "";
    box.addEventListener("input", keep);
  }
  feedback.value = kept.feedback ?? "";
  feedback.addEventListener("input", keep);
  feedback.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      done(event);
      askForChanges(false);
      document.querySelector("button[data-opens]").focus();
      keep();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      done(event);
      say("sendNotes");
    }
  });
  askForChanges(kept.asks === true);
  document.querySelector("button[data-opens]").addEventListener("click", () => {
    askForChanges(changes.hidden);
    keep();
    if (!changes.hidden) {
      feedback.focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.shiftKey && (event.ctrlKey || event.metaKey) && !send.hidden) {
      done(event);
      say("sendNotes");
    }
  });
  for (const opens of all("button[data-file]")) {
    opens.addEventListener("click", () => say("openFile", { file: opens.dataset.file }));
  }
  for (const answer of all("button[data-answer]")) {
    answer.addEventListener("click", () => say(answer.dataset.answer));
  }
  draw();
  keep();
  if (kept.plan === plan && kept.scroll > 0) {
    window.scrollTo(0, kept.scroll);
  }
  let isLate = 0;
  window.addEventListener("scroll", () => {
    clearTimeout(isLate);
    isLate = setTimeout(() => vscode.setState(state()), 200);
  });
}

window.addEventListener("message", ({ data }) => {
  if (Array.isArray(data?.notes)) {
    inFile = data.notes;
  } else if (data?.isSent === true) {
    notes = [];
    for (const box of all("textarea")) {
      box.value = "";
    }
    for (const { editor } of places) {
      editor.hidden = true;
    }
    askForChanges(false);
  } else {
    return;
  }
  draw();
  keep();
});

if (plan === "") {
  vscode.setState({ ...last, folder });
} else {
  start();
}
`;
