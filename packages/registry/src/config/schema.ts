// The registry's configuration as a JSON schema: the one place that says which keys there are, of what kind and what they mean.
// Reading, types (config-types.ts), environment names, `teu registry schema` and docs/reference/registry-config.md follow it.
// Of JSON schema only the keywords that validate.ts knows; "x-restart" marks what a running registry cannot change, "x-secret"
// what no message shows.

/** The schema. */
export const CONFIG_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Configuration of a teu registry",
  type: "object",
  additionalProperties: false,
  properties: {
    address: {
      type: "string",
      description: 'Where to listen, "HOST:PORT"; ":PORT" on all addresses. Default "127.0.0.1:5000".',
      "x-restart": true,
    },
    root: {
      type: "string",
      minLength: 1,
      description: "Directory to keep everything in. Either this or `memory`.",
      "x-restart": true,
    },
    memory: { type: "boolean", description: "Keep everything in memory. Default false.", "x-restart": true },
    readOnly: { type: "boolean", description: "Refuse everything that changes something. Default false." },
    deletes: { type: "boolean", description: "Allow deleting manifests, tags and blobs. Default true." },
    sparse: {
      type: "boolean",
      description: "Take manifests whose layers or platforms are not all there. Default false.",
    },
    drain: {
      $ref: "#/$defs/duration",
      description: 'How long requests may go on after the registry was told to end. Default "10s".',
    },
    storage: {
      type: "object",
      additionalProperties: false,
      description: "How long things stay.",
      properties: {
        grace: { $ref: "#/$defs/duration", description: 'How long blobs stay that nothing refers to. Default "24h".' },
        uploadExpiry: { $ref: "#/$defs/duration", description: 'How long an upload may lie idle. Default "24h".' },
        sweepInterval: {
          $ref: "#/$defs/duration",
          description: 'Time between two cleanings; "0s": never. Default "1h".',
        },
        dryRun: {
          type: "boolean",
          description: "Clean nothing by schedule, only log what would go. Default false.",
        },
        deleteUntagged: {
          type: "boolean",
          description:
            "Delete manifests without a tag after the grace time, unless an index has them or they refer to one that is there. Default false.",
        },
        history: {
          type: "object",
          additionalProperties: false,
          description: "Which changes of tags stay, to roll back to. Default all.",
          properties: {
            keepLatest: { type: "integer", minimum: 1, description: "So many of the latest of each tag stay." },
            within: { $ref: "#/$defs/duration", description: "Those within this time stay." },
          },
        },
        retention: {
          type: "array",
          description:
            "Which tags stay. Repositories that no pattern matches keep all. Immutable tags stay, and those of signatures as long as what they sign.",
          items: {
            type: "object",
            additionalProperties: false,
            required: ["repositories"],
            properties: {
              repositories: {
                $ref: "#/$defs/globs",
                description: "Patterns; of several rules the one with the most literal pattern counts.",
              },
              keepTags: { $ref: "#/$defs/globs", description: "Tags that match one of these stay." },
              keepLatest: { type: "integer", minimum: 0, description: "So many of those pushed last stay." },
              pushedWithin: { $ref: "#/$defs/duration", description: "Those pushed within this time stay." },
              pulledWithin: { $ref: "#/$defs/duration", description: "Those pulled within this time stay." },
            },
          },
        },
      },
    },
    limits: {
      type: "object",
      additionalProperties: false,
      description: "Bounds against clients that are hostile or broken.",
      properties: {
        manifestBytes: {
          type: "integer",
          minimum: 4_194_304,
          description: "Largest manifest. Default 4194304, which is the least that the specification allows.",
        },
        pageEntries: { type: "integer", minimum: 1, description: "Entries of one page of a list. Default 10000." },
        tagsPerPush: { type: "integer", minimum: 1, description: "Tags in one push. Default 100." },
        uploads: { type: "integer", minimum: 1, description: "Open uploads. Default 10000." },
      },
    },
    tls: {
      type: "object",
      additionalProperties: false,
      required: ["cert", "key"],
      description: "Speak TLS, and nothing else.",
      properties: {
        cert: {
          type: "string",
          minLength: 1,
          description: "PEM: the certificate, then those between it and the root.",
        },
        key: { type: "string", minLength: 1, description: "PEM: its private key, without a passphrase." },
        minVersion: { enum: ["1.2", "1.3"], description: "Oldest version of TLS. Default 1.2." },
        clientCa: {
          type: "string",
          minLength: 1,
          description: "PEM: authorities of client certificates. The common name of one is its user.",
          "x-restart": true,
        },
        clientCertificates: {
          enum: ["optional", "required"],
          description: "Whether clients must show a certificate; needs `clientCa`. Default optional.",
          "x-restart": true,
        },
      },
    },
    users: {
      type: "object",
      additionalProperties: false,
      required: ["htpasswd"],
      description: "Who can log in.",
      properties: {
        htpasswd: {
          type: "string",
          minLength: 1,
          description: "File of `user:hash` lines, bcrypt or argon2id; read again when it changes.",
        },
        anonymousPull: { type: "boolean", description: "Anybody may pull. Only without `rules`. Default false." },
        attempts: {
          type: "object",
          additionalProperties: false,
          description: "How wrong passwords slow further ones down.",
          properties: {
            perUser: {
              type: "integer",
              minimum: 1,
              description: "Wrong ones for one user that cost no time. Default 10.",
            },
            perAddress: {
              type: "integer",
              minimum: 1,
              description: "Wrong ones of one address that cost no time. Default 30.",
            },
            longest: { $ref: "#/$defs/duration", description: 'Longest time to wait. Default "60s".' },
          },
        },
      },
    },
    tokens: {
      type: "object",
      additionalProperties: false,
      description: "A token server at /token for these users. Needs `users`; the empty mapping {} is enough.",
      properties: {
        service: {
          type: "string",
          minLength: 1,
          description: 'Name of the registry in tokens. Default "teu-registry".',
        },
        issuer: { type: "string", minLength: 1, description: "Who issues. Default: the service." },
        realm: {
          type: "string",
          pattern: "^https?://",
          title: "an http or https URL",
          examples: ["https://registry.example.org/token"],
          description: "URL of /token as clients reach it. Default: on the host that they asked.",
        },
        lifetime: { $ref: "#/$defs/duration", description: 'How long a token lasts; at least "60s". Default "5m".' },
        refreshLifetime: { $ref: "#/$defs/duration", description: 'How long a refresh token lasts. Default "30d".' },
        rotation: { $ref: "#/$defs/duration", description: 'When the next key signs. Default "30d".' },
      },
    },
    trustedTokens: {
      type: "array",
      description: "Token servers of others whose tokens are taken: RS256, ES256, EdDSA.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["issuer", "audience", "jwks"],
        properties: {
          issuer: { type: "string", minLength: 1, description: "What the token's `iss` must be." },
          audience: { type: "string", minLength: 1, description: "What must be in the token's `aud`." },
          jwks: {
            type: "array",
            minItems: 1,
            items: { type: "string", minLength: 1 },
            description: "Key sets: files, or URLs with https.",
          },
          decides: {
            type: "boolean",
            description:
              "The token's `access` is what its owner may do. With false, `sub` and `groups` say who it is, and the rules decide. Default true.",
          },
          realm: {
            type: "string",
            pattern: "^https?://",
            title: "an http or https URL",
            examples: ["https://tokens.example.org/token"],
            description: "Where clients get such tokens; without `tokens`, they are sent there.",
          },
        },
      },
    },
    groups: {
      type: "object",
      description: "Users by group.",
      additionalProperties: { type: "array", items: { type: "string", minLength: 1 } },
    },
    rules: {
      type: "array",
      description:
        "Who may do what with which repository. Of the rules that match, the one with the longest pattern counts, alone. Without this key, users may do everything and others nothing.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["repositories"],
        properties: {
          repositories: {
            $ref: "#/$defs/globs",
            description: "Patterns: `*` is anything without a slash, `**` anything, `?` one character.",
          },
          anonymous: { $ref: "#/$defs/rights", description: "Rights of everybody, logged in or not." },
          authenticated: { $ref: "#/$defs/rights", description: "Rights of everybody who is logged in." },
          users: {
            type: "object",
            description: "Rights by user.",
            additionalProperties: { $ref: "#/$defs/rights" },
          },
          groups: {
            type: "object",
            description: "Rights by group.",
            additionalProperties: { $ref: "#/$defs/rights" },
          },
        },
      },
    },
    immutable: {
      type: "array",
      description: "Tags that nobody moves or removes once they are there.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["repositories", "tags"],
        properties: {
          repositories: { $ref: "#/$defs/globs", description: "Patterns of repositories." },
          tags: { $ref: "#/$defs/globs", description: "Patterns of tags." },
        },
      },
    },
    operations: {
      type: "object",
      additionalProperties: false,
      required: ["address"],
      description: "A second address, for those who operate the registry: /metrics, /healthz, /readyz.",
      properties: {
        address: { type: "string", description: 'Where, "HOST:PORT".', "x-restart": true },
        token: {
          type: "string",
          minLength: 1,
          description: "Metrics only for who sends this as a bearer token.",
          "x-secret": true,
          "x-restart": true,
        },
      },
    },
    log: {
      type: "object",
      additionalProperties: false,
      description:
        "Logs in lines of JSON, opened anew on SIGHUP. What the registry says of itself goes to the standard error.",
      properties: {
        access: {
          type: "string",
          minLength: 1,
          description: 'File for every request; "-" is the standard output.',
          "x-restart": true,
        },
        audit: {
          type: "string",
          minLength: 1,
          description:
            'File for what was changed, by whom and from where, and what was refused; "-" is the standard output.',
          "x-restart": true,
        },
      },
    },
    webhooks: {
      type: "array",
      description: "Who is told of pushes, pulls and deletions, in docker-registry's form. Needs a restart.",
      "x-restart": true,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["name", "url"],
        properties: {
          name: {
            type: "string",
            pattern: "^[a-z0-9-]{1,64}$",
            title: "a name of small letters, digits and dashes",
            examples: ["to-the-chat"],
            description: "Small letters, digits, dashes; names its queue.",
          },
          url: {
            type: "string",
            pattern: "^https?://",
            title: "an http or https URL",
            examples: ["https://hooks.example.org/teu"],
            description: "An http or https URL.",
            "x-secret": true,
          },
          actions: {
            type: "array",
            items: { enum: ["push", "pull", "mount", "delete"] },
            description: "What of. Default push, mount, delete.",
          },
          repositories: { $ref: "#/$defs/globs", description: "Patterns; default all." },
          blobs: { type: "boolean", description: "Of blobs, too, not only of manifests and tags. Default false." },
          secret: {
            type: "string",
            minLength: 1,
            description: "Key of the signature in X-Hub-Signature-256 (HMAC of the body).",
            "x-secret": true,
          },
          headers: {
            type: "object",
            description: "Further headers.",
            additionalProperties: {
              type: "string",
              pattern: "^[\\x20-\\x7e]*$",
              title: "a text of printable ASCII characters",
              "x-secret": true,
            },
          },
          allowPrivate: {
            type: "boolean",
            description: "It may be at a private or local address. Default false.",
          },
          timeout: { $ref: "#/$defs/duration", description: 'For one try. Default "10s".' },
        },
      },
    },
    proxies: {
      type: "array",
      description: "Registries whose repositories are kept here. Nobody pushes to these. Needs a restart.",
      "x-restart": true,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["prefix", "upstream"],
        properties: {
          prefix: {
            type: "string",
            pattern: "^([a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*)?$",
            title: "the beginning of repository names",
            examples: ["hub"],
            description:
              'Beginning of names here: with "hub", hub/library/busybox is library/busybox there. "": all that no other has.',
          },
          upstream: {
            type: "string",
            minLength: 1,
            description: 'HOST[:PORT], or with the beginning of names there: "docker.io", "registry.example/team".',
          },
          username: { type: "string", minLength: 1, description: "Who we are there." },
          password: { type: "string", minLength: 1, description: "With `username`.", "x-secret": true },
          passwordFile: {
            type: "string",
            minLength: 1,
            description: "File that holds the password, instead of `password`.",
          },
          realms: {
            type: "array",
            items: { type: "string", minLength: 1 },
            description: "Hosts of token servers that the password may be sent to, beside the registry's own.",
          },
          ttl: { $ref: "#/$defs/duration", description: 'How long a tag is believed. Default "5m".' },
          ca: {
            type: "string",
            minLength: 1,
            description: "PEM: an authority of its certificate, beside those trusted anyway.",
          },
          plainHttp: { type: "boolean", description: "It may be spoken to without TLS. Default false." },
        },
      },
    },
    requests: {
      type: "object",
      additionalProperties: false,
      description: "How many requests are answered; others get 429. Absent: any number.",
      properties: {
        perAddress: { $ref: "#/$defs/rate", description: "Of one address, or one /64 network of IPv6." },
        perUser: { $ref: "#/$defs/rate", description: "Of one user who is logged in." },
      },
    },
    trustedProxies: {
      type: "array",
      description: "Reverse proxies whose X-Forwarded-For is believed: addresses or networks as 10.0.0.0/8.",
      items: { type: "string", minLength: 1 },
    },
  },
  $defs: {
    duration: {
      type: "string",
      pattern: "^\\d{1,9}(ms|s|m|h|d)$",
      title: "a duration as text",
      examples: ["2h"],
      description: "A number with its unit: ms, s, m, h, d.",
    },
    globs: {
      type: "array",
      minItems: 1,
      items: {
        type: "string",
        pattern: "^[A-Za-z0-9._/*?-]{1,255}$",
        title: "a pattern of repositories",
        examples: ["team/*"],
      },
    },
    rights: { type: "array", items: { enum: ["read", "create", "update", "delete", "catalog", "all"] } },
    rate: {
      type: "object",
      additionalProperties: false,
      required: ["rate", "burst"],
      properties: {
        rate: { type: "number", exclusiveMinimum: 0, description: "Requests per second, over time." },
        burst: { type: "integer", minimum: 1, description: "Requests at once." },
      },
    },
  },
} as const;
