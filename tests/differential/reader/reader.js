// Reads bodies as a client in Node would, and says whose the records are.
//
// A line in is {"form": …, "body": base64}; a line out is {"records": [["s:me"], []]} or {"error": …}.
"use strict";
const vm = require("node:vm");
const readline = require("node:readline");

function owner(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  const found = value.owner; // as clients read it: also what is inherited
  if (found === undefined) return [];
  if (typeof found === "string") return ["s:" + found];
  if (typeof found === "number") return ["n:" + String(found)];
  return ["?:"];
}

const elements = (value) => (Array.isArray(value) ? value.map(owner) : []);

// WHATWG HTML section 9.2.6.
function events(text) {
  const found = [];
  let data = [];
  const lines = text.split(/\r\n|\n|\r/);
  lines.pop(); // what no line end ends is dropped
  for (const line of lines) {
    if (line === "") {
      if (data.length) found.push(JSON.parse(data.join("\n")));
      data = [];
      continue;
    }
    const at = line.indexOf(":");
    const field = at < 0 ? line : line.slice(0, at);
    let value = at < 0 ? "" : line.slice(at + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") data.push(value);
  }
  return found;
}

// A page that declares what the script assigns to, and then looks at it.
function assigned(text) {
  const name = /^(?:(?:var|let|const) )?([\w$.]+)/.exec(text)[1];
  const parts = name.split(".");
  const page = vm.createContext({});
  if (parts.length > 1) {
    const root = (page[parts[0]] = {});
    parts.slice(1, -1).reduce((at, part) => (at[part] = {}), root);
  }
  vm.runInContext(text, page, { timeout: 5000 });
  return vm.runInContext(name, page);
}

function patients(resource, entries) {
  if (resource?.resourceType === "Patient") return ["s:Patient/" + resource.id];
  const owners = [];
  for (const element of ["subject", "patient", "beneficiary"]) {
    const reference = resource?.[element]?.reference;
    if (reference === undefined) continue;
    const last = entries.get(reference)?.id ?? reference.split("/").at(-1);
    owners.push("s:Patient/" + last);
  }
  for (const payor of resource?.payor ?? []) owners.push("s:" + payor.identifier.value);
  return owners;
}

function bundle(document) {
  if (document.resourceType !== "Bundle") return [patients(document, new Map())];
  const entries = document.entry ?? [];
  const named = new Map(entries.map((entry) => [entry.fullUrl, entry.resource]));
  return entries.map((entry) => patients(entry.resource, named));
}

const FORMS = {
  fhir: (text) => bundle(JSON.parse(text)),
  json: (text) => elements(JSON.parse(text).records),
  ndjson: (text) => text.replace(/\n$/, "").split("\n").filter((_, at, all) => all.length > 1 || all[0] !== "").map((line) => owner(JSON.parse(line))),
  "json-seq": (text) => text.split("\x1e").slice(1).map((each) => owner(JSON.parse(each))),
  sse: (text) => events(text).map(owner),
  javascript: (text) => Array.from(assigned(text)).map((each) => owner(each)),
};

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  let said;
  try {
    const { form, body } = JSON.parse(line);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(body, "base64"));
    said = { records: FORMS[form](text) };
  } catch (error) {
    said = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(said) + "\n");
});
