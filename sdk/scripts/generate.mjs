// Writes src/generated/openapi.json and src/generated/api.ts from the document that a coordinator serves, so
// that the wire types here are those of the Rust crates. A test compares both.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startServer } from "../tests/house.mjs";

const FOLDER = new URL("../src/generated/", import.meta.url);
const DOCUMENT = new URL("openapi.json", FOLDER);
const TYPES = new URL("api.ts", FOLDER);

const HEAD = `// Written by \`npm run generate -w sdk\` from the coordinator's OpenAPI document; a test fails when it is stale.
/* eslint-disable */
`;

/** The document as it is kept: keys in the order the server writes them, an indent of two. */
export function documentText(document) {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** TypeScript for every schema of the document. */
export function typesText(document) {
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  return HEAD + schemas.map(([name, schema]) => `${doc(schema, "")}export type ${name} = ${type(schema, "")};\n`).map((text) => `\n${text}`).join("");
}

function doc(schema, indent) {
  return schema.description ? `${indent}/** ${schema.description.replaceAll("*/", "* /")} */\n` : "";
}

/** Rust's serde_json::Value is written as an object without properties: any JSON. */
function isAny(schema) {
  return schema.type === "object" && !schema.properties && !schema.additionalProperties;
}

function type(schema, indent) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.oneOf) return schema.oneOf.map((one) => type(one, indent)).join(" | ");
  if (schema.allOf) return schema.allOf.map((one) => type(one, indent)).join(" & ");
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (Array.isArray(schema.type)) {
    const [own] = schema.type.filter((word) => word !== "null");
    const bare = { ...schema, type: own };
    return isAny(bare) ? "unknown" : `${type(bare, indent)} | null`;
  }
  if (isAny(schema)) return "unknown";
  switch (schema.type) {
    case "integer":
    case "number":
      return "number";
    case "array":
      return `Array<${type(schema.items, indent)}>`;
    case "object":
      return object(schema, indent);
    case "string":
    case "boolean":
      return schema.type;
    case "null":
      return "null";
    default:
      return "unknown";
  }
}

function object(schema, indent) {
  if (!schema.properties) return `Record<string, ${type(schema.additionalProperties, indent)}>`;
  const inner = `${indent}  `;
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties).map(([name, field]) => {
    const optional = required.has(name) ? "" : "?";
    return `${inner}${doc(field, "").replace("\n", " ")}${name}${optional}: ${type(field, inner)};\n`;
  });
  return `{\n${fields.join("")}${indent}}`;
}

/** What is in the folder and what should be. */
export function kept() {
  return { document: readFileSync(DOCUMENT, "utf8"), types: readFileSync(TYPES, "utf8") };
}

async function generate() {
  const server = await startServer("server");
  try {
    const answer = await fetch(`${server.origin}/api/v1/openapi.json`);
    const document = await answer.json();
    writeFileSync(DOCUMENT, documentText(document));
    writeFileSync(TYPES, typesText(document));
  } finally {
    await server.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await generate();
