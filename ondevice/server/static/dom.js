// Building the page: elements are made by calls and text is only ever text.

/**
 * Return an element; `on…` properties are listeners, others attributes, children texts or nodes.
 */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  set(node, properties);
  node.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** Return an SVG element. */
export function svg(tag, properties = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(node, properties);
  node.append(...children);
  return node;
}

function set(node, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (["value", "checked", "disabled", "selected"].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Return a button; the label may be a text, an element, or several. */
export function button(label, onclick, properties = {}) {
  return el("button", { type: "button", onclick, ...properties }, label);
}

/** Show a short message; `action` is {label, run}. Return a function that takes it away. */
export function toast(text, action = null, seconds = 6) {
  const node = el("div", { class: "toast" }, el("span", {}, text));
  const close = () => node.remove();
  if (action)
    node.append(
      button(action.label, () => {
        close();
        action.run();
      }),
    );
  document.getElementById("toasts").append(node);
  if (seconds) setTimeout(close, 1000 * seconds);
  return close;
}

/** Run `work`; what goes wrong is said in a toast. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.code !== "invalid_api_key") toast(error.message); // that one the whole page says
    return undefined;
  }
}

/** Return a head line of a view with what stands beside it. */
export function heading(title, ...beside) {
  return el("div", { class: "top" }, el("h1", {}, title), ...beside);
}

/** The beginning of a long text. */
export function brief(text, length) {
  return text.length > length ? `${text.slice(0, length).trimEnd()}…` : text;
}

/** "12 memories", "1 memory". */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** A size as people read it. */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let step = 0;
  for (; bytes >= 1000 && step < 3; step += 1) bytes /= 1000;
  return `${step && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`;
}

/** A duration as people read it: 2:05. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A day as people read it. */
export function day(seconds) {
  return new Date(1000 * seconds).toLocaleDateString("en", {
    day: "numeric",
    month: "short",
    year: "numeric",
  });
}

/** A day and time as people read them. */
export function moment(seconds) {
  return new Date(1000 * seconds).toLocaleString("en", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  });
}
