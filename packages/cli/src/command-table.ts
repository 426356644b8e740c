// Every command by name, loaded only when it is invoked. Groups (artifact, image, container, key, manifest, system, registry) hold further names for the same files.

import type { Command } from "./command.ts";

/** One name on the command line. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
  /** Arguments put in front: `image inspect` is `inspect --type=image`. */
  readonly preset?: readonly string[];
}

/** A noun with verbs. */
export interface CommandGroup {
  readonly summary: string;
  readonly verbs: Readonly<Record<string, CommandEntry>>;
}

const build: CommandEntry = { summary: "Build an image from a Dockerfile", load: () => import("./commands/build.ts") };
const create: CommandEntry = { summary: "Create a new container", load: () => import("./commands/create.ts") };
const exec: CommandEntry = {
  summary: "Execute a command in a running container",
  load: () => import("./commands/exec.ts"),
};
const history: CommandEntry = { summary: "Show the history of an image", load: () => import("./commands/history.ts") };
const images: CommandEntry = { summary: "List images", load: () => import("./commands/images.ts") };
const info: CommandEntry = {
  summary: "Show numbers and settings of this host",
  load: () => import("./commands/info.ts"),
};
const inspect: CommandEntry = {
  summary: "Show everything about containers and images",
  load: () => import("./commands/inspect.ts"),
};
const kill: CommandEntry = { summary: "Send a signal to running containers", load: () => import("./commands/kill.ts") };
const load: CommandEntry = { summary: "Load images from an archive", load: () => import("./commands/load.ts") };
const logs: CommandEntry = { summary: "Show the output of a container", load: () => import("./commands/logs.ts") };
const ps: CommandEntry = { summary: "List containers", load: () => import("./commands/ps.ts") };
const pull: CommandEntry = { summary: "Download an image from a registry", load: () => import("./commands/pull.ts") };
const importImage: CommandEntry = {
  summary: "Make an image of a root file system in a tar archive",
  load: () => import("./commands/import.ts"),
};
const exportContainer: CommandEntry = {
  summary: "Write a container's file system as a tar archive",
  load: () => import("./commands/export.ts"),
};
const push: CommandEntry = { summary: "Upload an image to a registry", load: () => import("./commands/push.ts") };
const rename: CommandEntry = { summary: "Rename a container", load: () => import("./commands/rename.ts") };
const rm: CommandEntry = { summary: "Remove containers", load: () => import("./commands/rm.ts") };
const rmi: CommandEntry = { summary: "Remove images", load: () => import("./commands/rmi.ts") };
const run: CommandEntry = {
  summary: "Create and run a new container from an image",
  load: () => import("./commands/run.ts"),
};
const save: CommandEntry = { summary: "Save images to an archive", load: () => import("./commands/save.ts") };
const start: CommandEntry = { summary: "Start stopped containers", load: () => import("./commands/start.ts") };
const stop: CommandEntry = { summary: "Stop running containers", load: () => import("./commands/stop.ts") };
const tag: CommandEntry = { summary: "Give an image a further name", load: () => import("./commands/tag.ts") };
const top: CommandEntry = { summary: "Show the processes of a container", load: () => import("./commands/top.ts") };
const wait: CommandEntry = {
  summary: "Wait until containers end and print their exit codes",
  load: () => import("./commands/wait.ts"),
};
const prune: CommandEntry = { summary: "Remove what nothing needs", load: () => import("./commands/system-prune.ts") };
const registrySchema: CommandEntry = {
  summary: "Print the JSON schema of a registry's configuration",
  load: () => import("./commands/registry-schema.ts"),
};
const registryServe: CommandEntry = { summary: "Run a registry", load: () => import("./commands/registry-serve.ts") };

/** Commands without a noun. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  blob: { summary: "Download one blob", load: () => import("./commands/blob.ts") },
  build,
  catalog: { summary: "List the repositories of a registry", load: () => import("./commands/catalog.ts") },
  copy: {
    summary: "Copy an image between registries, layouts, archives and this host",
    load: () => import("./commands/copy.ts"),
  },
  create,
  delete: { summary: "Delete tags and manifests on a registry", load: () => import("./commands/delete.ts") },
  digest: { summary: "Show the digest of an image, wherever it is", load: () => import("./commands/digest.ts") },
  doctor: { summary: "Show what this host can and cannot do", load: () => import("./commands/doctor.ts") },
  exec,
  export: exportContainer,
  history,
  images,
  import: importImage,
  info,
  inspect,
  kill,
  load,
  login: { summary: "Log in to a registry", load: () => import("./commands/login.ts") },
  logout: { summary: "Log out from a registry", load: () => import("./commands/logout.ts") },
  logs,
  ls: { summary: "List the tags of a repository", load: () => import("./commands/ls.ts") },
  ps,
  pull,
  push,
  rename,
  rm,
  rmi,
  run,
  save,
  sign: { summary: "Sign images on a registry", load: () => import("./commands/sign.ts") },
  start,
  stop,
  sync: { summary: "Mirror the images that a list names", load: () => import("./commands/sync.ts") },
  tag,
  top,
  verify: { summary: "Verify signatures of images on a registry", load: () => import("./commands/verify.ts") },
  version: { summary: "Show versions", load: () => import("./commands/version.ts") },
  wait,
};

/** Nouns. */
export const GROUPS: Readonly<Record<string, CommandGroup>> = {
  artifact: {
    summary: "Push and pull files as artifacts",
    verbs: {
      attach: { summary: "Attach files to an image", load: () => import("./commands/artifact-attach.ts") },
      discover: { summary: "Show what refers to an image", load: () => import("./commands/artifact-discover.ts") },
      pull: { summary: "Pull the files of an artifact", load: () => import("./commands/artifact-pull.ts") },
      push: { summary: "Push files as an artifact", load: () => import("./commands/artifact-push.ts") },
    },
  },
  container: {
    summary: "Manage containers",
    verbs: {
      create,
      exec,
      export: exportContainer,
      inspect: { ...inspect, preset: ["--type=container"] },
      kill,
      list: ps,
      logs,
      ls: ps,
      ps,
      prune: { ...prune, summary: "Remove stopped containers", preset: ["--only=containers"] },
      remove: rm,
      rename,
      rm,
      run,
      start,
      stop,
      top,
      wait,
    },
  },
  image: {
    summary: "Manage images",
    verbs: {
      append: {
        summary: "Add tar files or directories to an image as layers",
        load: () => import("./commands/image-append.ts"),
      },
      build,
      diff: {
        summary: "Show what is different between two images",
        load: () => import("./commands/image-diff.ts"),
      },
      flatten: {
        summary: "Make one layer of all layers of an image",
        load: () => import("./commands/image-flatten.ts"),
      },
      history,
      import: importImage,
      inspect: { ...inspect, preset: ["--type=image"] },
      list: images,
      load,
      ls: images,
      mount: {
        summary: "Mount an image of this host read-only",
        load: () => import("./commands/image-mount.ts"),
      },
      mutate: {
        summary: "Change an image's settings, annotations, layers or form",
        load: () => import("./commands/image-mutate.ts"),
      },
      prune: { ...prune, summary: "Remove unused images", preset: ["--only=images"] },
      pull,
      push,
      rebase: {
        summary: "Put the layers of an image on another base",
        load: () => import("./commands/image-rebase.ts"),
      },
      remove: rmi,
      rm: rmi,
      save,
      tag,
      tree: {
        summary: "Show the layers of images, what they hold and who shares them",
        load: () => import("./commands/image-tree.ts"),
      },
      unmount: { summary: "Unmount images", load: () => import("./commands/image-unmount.ts") },
      unpack: {
        summary: "Write the files of an image into an empty directory",
        load: () => import("./commands/image-unpack.ts"),
      },
    },
  },
  key: {
    summary: "Make keys to sign images with",
    verbs: {
      generate: { summary: "Make a key pair to sign images with", load: () => import("./commands/key-generate.ts") },
      public: { summary: "Show the public key of a private key", load: () => import("./commands/key-public.ts") },
    },
  },
  manifest: {
    summary: "Put images for several platforms together",
    verbs: {
      annotate: {
        summary: "Say for which platform an image in a list is",
        load: () => import("./commands/manifest-annotate.ts"),
      },
      create: {
        summary: "Put images for several platforms together",
        load: () => import("./commands/manifest-create.ts"),
      },
      inspect: { summary: "Show a manifest or list", load: () => import("./commands/manifest-inspect.ts") },
      push: { summary: "Push a list with its images", load: () => import("./commands/manifest-push.ts") },
      rm: { summary: "Remove lists from this host", load: () => import("./commands/manifest-rm.ts") },
    },
  },
  registry: {
    summary: "Run a registry and look after it",
    verbs: {
      backup: { summary: "Copy a registry while it serves", load: () => import("./commands/registry-backup.ts") },
      export: {
        summary: "Write repositories as a plain OCI layout",
        load: () => import("./commands/registry-export.ts"),
      },
      gc: { summary: "Free what nothing needs in a registry", load: () => import("./commands/registry-gc.ts") },
      import: {
        summary: "Take in an OCI layout or docker-registry's directory",
        load: () => import("./commands/registry-import.ts"),
      },
      retention: {
        summary: "Remove the tags that the rules do not keep",
        load: () => import("./commands/registry-retention.ts"),
      },
      restore: {
        summary: "Make a registry's directory out of a backup",
        load: () => import("./commands/registry-restore.ts"),
      },
      schema: registrySchema,
      serve: registryServe,
      tags: {
        summary: "Show where a tag pointed, and point it back",
        load: () => import("./commands/registry-tags.ts"),
      },
      undelete: {
        summary: "Bring back deleted tags and manifests",
        load: () => import("./commands/registry-undelete.ts"),
      },
      verify: {
        summary: "Check everything that a registry stores",
        load: () => import("./commands/registry-verify.ts"),
      },
    },
  },
  system: { summary: "Manage this host's state", verbs: { info, prune } },
};
