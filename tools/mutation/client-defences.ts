// The defences of the registry client.

import type { Defence } from "./defence.ts";

/** A part of the table. */
export const CLIENT_DEFENCES: readonly Defence[] = [
  {
    name: "download-bound",
    against: "bodies without end",
    what: "no byte more than declared is taken",
    file: "packages/distribution/src/client/download.ts",
    changes: [["if (at + fresh.length > blob.size) throw", "if (false) throw"]],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: a body without end costs no more than was declared (scenario 8)",
    },
  },
  {
    name: "manifest-digest",
    against: "manifests that were changed on the way",
    what: "a manifest is what its digest says",
    file: "packages/distribution/src/client/manifest-answer.ts",
    changes: [["if (wanted !== undefined && wanted !== digest)", "if (false as boolean)"]],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: a manifest must be what tag, digest, headers and descriptor say (scenario 11)",
    },
  },
  {
    name: "manifest-type",
    against: "CVE-2021-41190",
    what: "a manifest calls itself what it is sent as",
    file: "packages/distribution/src/client/manifest-answer.ts",
    changes: [["if (inside !== undefined && inside !== declared)", "if (false as boolean)"]],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: a manifest must be what tag, digest, headers and descriptor say (scenario 11)",
    },
  },
  {
    name: "answer-size",
    against: "answers without end",
    what: "an answer has a largest size",
    file: "packages/distribution/src/client/response-error.ts",
    changes: [
      [
        "return collectBytes(response.body, limit, op);",
        "return collectBytes(response.body, Number.POSITIVE_INFINITY, op);",
      ],
    ],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: an error body without end is not read to its end",
    },
  },
  {
    name: "referrer-pages",
    against: "lists without end",
    what: "a list of referrers ends",
    file: "packages/distribution/src/client/referrers.ts",
    changes: [["if (seen.size === MOST_PAGES) throw", "if (false) throw"]],
    kill: {
      test: "packages/distribution/src/client/hostile-image.test.ts",
      name: "hostile image: referrers whose pages never end, lead away or are missing",
    },
  },
  {
    name: "redirect-headers",
    against: "CVE-2020-15157",
    what: "only harmless headers follow a redirect to another origin",
    file: "packages/distribution/src/client/redirects.ts",
    changes: [
      [
        ".filter(([name]) => HARMLESS.has(name.toLowerCase()))",
        ".filter(([name]) => HARMLESS.has(name.toLowerCase()) || true)",
      ],
    ],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: redirects carry no credentials to another host (scenarios 12, 23)",
    },
  },
  {
    name: "redirect-tls",
    against: "downgrades",
    what: "nothing leads from TLS to plain HTTP",
    file: "packages/distribution/src/client/redirects.ts",
    changes: [['if (from.protocol === "https:" && target.protocol === "http:")', "if (false as boolean)"]],
    kill: {
      test: "packages/distribution/src/client/redirects.test.ts",
      name: "resolveTarget: takes what may be followed and refuses the rest",
    },
  },
  {
    name: "redirect-link-local",
    against: "SSRF to metadata services",
    what: "nothing leads to link-local addresses",
    file: "packages/distribution/src/client/redirects.ts",
    changes: [["if (isLinkLocal(target.hostname)) throw", "if (false) throw"]],
    kill: {
      test: "packages/distribution/src/client/redirects.test.ts",
      name: "resolveTarget: takes what may be followed and refuses the rest",
    },
  },
  {
    name: "redirect-loopback",
    against: "SSRF to this machine",
    what: "nothing leads from outside to this machine",
    file: "packages/distribution/src/client/redirects.ts",
    changes: [["if (isLoopback(target.hostname) && !isLoopback(from.hostname))", "if (false as boolean)"]],
    kill: {
      test: "packages/distribution/src/client/redirects.test.ts",
      name: "resolveTarget: takes what may be followed and refuses the rest",
    },
  },
  {
    name: "upload-credentials",
    against: "upload locations on other hosts",
    what: "credentials are for the registry itself",
    file: "packages/distribution/src/client/registry-session.ts",
    changes: [
      [
        "...(isOwn && authorization !== undefined ? { authorization } : {}),",
        "...(authorization !== undefined ? { authorization } : {}),",
      ],
    ],
    kill: {
      test: "packages/distribution/src/client/upload.test.ts",
      name: "pushBlob: credentials do not follow an upload to another host (scenario 23)",
    },
  },
  {
    name: "upload-headers",
    against: "the same for headers of hosts.toml",
    what: "headers of an endpoint are for that endpoint",
    file: "packages/distribution/src/client/registry-session.ts",
    changes: [["...(isOwn ? this.#place.headers : {}),", "...this.#place.headers,"]],
    kill: {
      test: "packages/distribution/src/client/upload.test.ts",
      name: "pushBlob: credentials do not follow an upload to another host (scenario 23)",
    },
  },
  {
    name: "pages-same-host",
    against: "page links to other hosts",
    what: "pages are on one host",
    file: "packages/distribution/src/client/pages.ts",
    changes: [["if (url.origin !== session.base.origin) throw", "if (false) throw"]],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: lists follow pages on the same host, and no further",
    },
  },
  {
    name: "token-one-header",
    against: "tokens that end their header",
    what: "a token has no line ends",
    file: "packages/distribution/src/client/token-client.ts",
    changes: [
      [
        'if (typeof token !== "string" || !/^[\\x21-\\x7e]+$/.test(token)) throw',
        'if (typeof token !== "string") throw',
      ],
    ],
    kill: {
      test: "packages/distribution/src/client/authorizer.test.ts",
      name: "RegistryClient: a token that would end its header is refused",
    },
  },
  {
    name: "link-one-line",
    against: "line ends in Link",
    what: "a page link is one address",
    file: "packages/distribution/src/wire/link-header.ts",
    changes: [["return /^[\\x21-\\x7e]+$/.test(target) ? target : null;", "return target;"]],
    kill: {
      test: "packages/distribution/src/wire/link-header.test.ts",
      name: "parseNextLink: finds the next page and nothing else",
    },
  },
  {
    name: "warnings-bounded",
    against: "warnings of any size",
    what: "warnings beyond 4096 bytes are not shown",
    file: "packages/distribution/src/wire/warning-header.ts",
    changes: [["  if (total > WARNINGS_LIMIT) return [];\n", "  void total;\n"]],
    kill: {
      test: "packages/distribution/src/wire/warning-header.test.ts",
      name: "parseWarnings: only the form of the spec, and not too much of it",
    },
  },
  {
    name: "warnings-once",
    against: "registries that talk without end",
    what: "a warning is shown once, and a hundred at most",
    file: "packages/distribution/src/client/registry-session.ts",
    changes: [
      [
        "if (this.#options.warned.has(text) || this.#options.warned.size >= 100) continue;",
        "if (this.#options.warned.has(text)) continue;",
      ],
    ],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: warnings are shown once, and too many of them never (scenario 30)",
    },
  },
  {
    name: "errors-printable",
    against: "escape sequences in errors",
    what: "what a registry says is text",
    file: "packages/distribution/src/client/response-error.ts",
    changes: [['.replace(/[\\x00-\\x1f\\x7f-\\x9f]+/g, " ")', ""]],
    kill: {
      test: "packages/distribution/src/client/registry-client.test.ts",
      name: "RegistryClient: what a registry says is cleaned before it is shown",
    },
  },
];
