import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { compileTemplate, fixedFields } from "./template.ts";

const data = {
  ID: "abc",
  Names: ["x", "y"],
  State: { Pid: 7, Running: true, Error: "" },
  Labels: { "a.b": "c", z: "1" },
  Networks: { bridge: { IP: "1.2.3.4" } },
  Empty: [],
  Nothing: null,
};

const CASES: readonly (readonly [string, string])[] = [
  ["plain", "plain"],
  ["{{.ID}}", "abc"],
  ["{{ .ID }} {{.State.Pid}}", "abc 7"],
  ["{{json .}}", JSON.stringify(data)],
  ["{{json .Names}}", '["x","y"]'],
  ["{{.Names}}", "[x y]"],
  ["{{.Labels}}", "map[a.b:c z:1]"],
  ['{{index .Labels "a.b"}}', "c"],
  ["{{index .Names 1}}", "y"],
  ['{{join .Names ","}}', "x,y"],
  ["{{upper .ID}}", "ABC"],
  ["{{.ID | upper | lower}}", "abc"],
  ["{{len .Names}}", "2"],
  ["{{range .Names}}<{{.}}>{{end}}", "<x><y>"],
  ["{{range .Empty}}x{{else}}none{{end}}", "none"],
  ["{{range .Networks}}{{.IP}}{{end}}", "1.2.3.4"],
  ["{{if .State.Running}}up{{else}}down{{end}}", "up"],
  ["{{if .State.Error}}e{{end}}", ""],
  ["{{if and .ID (eq .State.Pid 7)}}yes{{end}}", "yes"],
  ["{{if not .Empty}}empty{{end}}", "empty"],
  ["{{with .State}}{{.Pid}} {{$.ID}}{{end}}", "7 abc"],
  ["a{{- /* note */ -}} b", "ab"],
  ["{{.ID -}}  x", "abcx"],
  ['{{printf "%s-%5d|%-3s|" .ID 7 "a"}}', "abc-    7|a  |"],
  ["{{println .ID}}", "abc\n"],
  ["{{.State.Nothing}}", "<no value>"],
  ['{{"{{"}}', "{{"],
  ["{{`a`}}", "a"],
  ['{{index (split "a,b" ",") 1}}', "b"],
];

for (const [source, want] of CASES)
  test(`compileTemplate: ${source}`, () => assert.equal(compileTemplate(source)(data), want));

const BAD: readonly (readonly [string, string])[] = [
  ["{{.ID", "invalid"],
  ["{{if .ID}}x", "invalid"],
  ["{{end}}", "invalid"],
  ["{{}}", "invalid"],
  ["{{$x := 1}}", "unsupported"],
  ['{{template "x"}}', "unsupported"],
];

for (const [source, code] of BAD)
  test(`compileTemplate: ${code} for ${source}`, () =>
    assert.throws(
      () => compileTemplate(source),
      (error) => isTeuError(error) && error.code === code,
    ));

test("compileTemplate: errors while printing name the field", () => {
  assert.throws(
    () => compileTemplate("{{.Nothing.X}}")(data),
    (error) => isTeuError(error, "invalid"),
  );
  assert.throws(
    () => compileTemplate("{{foo .ID}}")(data),
    (error) => isTeuError(error, "unsupported"),
  );
  assert.throws(
    () => compileTemplate("{{.Idd}}")(fixedFields({ ID: "x", Name: "y" })),
    (error) => isTeuError(error, "invalid") && error.hint === "fields: ID, Name",
  );
});
