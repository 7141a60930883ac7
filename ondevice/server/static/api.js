// The management API: JSON in and out, and server-sent events over fetch.

async function problem(response) {
  let said = {};
  try {
    said = (await response.json()).error;
  } catch {
    /* not ours: the status says enough */
  }
  const error = new Error(said.message || `The server answered ${response.status}.`);
  error.code = said.code;
  if (["profile_locked", "invalid_api_key"].includes(said.code))
    window.dispatchEvent(new Event(said.code));
  return error;
}

async function request(method, path, options = {}) {
  let response;
  try {
    response = await fetch(path, { method, credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("ondevice does not answer; is `ondevice serve` still running?");
  }
  if (!response.ok) throw await problem(response);
  return response;
}

function body(fields) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) };
}

/** GET JSON; fields become the query. */
export async function get(path, fields = {}, signal = undefined) {
  const query = new URLSearchParams(
    Object.entries(fields).filter(([, value]) => value !== "" && value !== null),
  );
  const response = await request("GET", query.size ? `${path}?${query}` : path, { signal });
  return response.json();
}

/** POST JSON and return JSON. */
export async function post(path, fields = {}) {
  return (await request("POST", path, body(fields))).json();
}

/** PATCH JSON and return JSON. */
export async function patch(path, fields) {
  return (await request("PATCH", path, body(fields))).json();
}

/**
 * Send a file as it is; `progress(share)` is called meanwhile.
 * (`fetch` cannot tell how much was sent.)
 */
export function upload(path, name, file, progress, signal) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", `${path}?${new URLSearchParams({ name })}`);
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.responseType = "json";
    sending.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 1);
    sending.onerror = () =>
      reject(new Error(`${name} could not be sent; was it moved, or has the server stopped?`));
    sending.onabort = () => reject(new DOMException("Stopped.", "AbortError"));
    sending.onload = () =>
      sending.status === 200
        ? resolve(sending.response)
        : reject(
            new Error(sending.response?.error?.message || `The server answered ${sending.status}.`),
          );
    signal.addEventListener("abort", () => sending.abort());
    sending.send(file);
  });
}

/** POST while the page goes away; nobody waits for the answer. */
export function farewell(path, fields) {
  fetch(path, {
    method: "POST",
    credentials: "same-origin",
    keepalive: true,
    ...body(fields),
  }).catch(() => {});
}

/** POST, and hand what comes back to the browser as a download. */
export async function download(path, fields = {}) {
  const response = await request("POST", path, body(fields));
  const name =
    /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "ondevice";
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  return name;
}

/** Yield the events that the server sends in answer to a POST, or to a GET without fields. */
export async function* stream(path, fields = null, signal = undefined) {
  const response =
    fields === null
      ? await request("GET", path, { signal })
      : await request("POST", path, { ...body(fields), signal });
  if (!(response.headers.get("content-type") || "").startsWith("text/event-stream")) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += value;
      const parts = held.split("\n\n");
      held = parts.pop();
      for (const part of parts) {
        if (part.startsWith("data: ")) yield JSON.parse(part.slice(6));
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
