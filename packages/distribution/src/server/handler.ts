// The registry's request handler for node:http: route, policy, access, endpoint, and errors made into answers.
// Listening, TLS and shutdown are the registry program's business.

import type { IncomingMessage, ServerResponse } from "node:http";
import { errorText } from "@teu/base/errors";

import { matchRoute, type Route } from "../wire/routes.ts";
import { type AccessAction, type AccessDecision, type AccessRequest, openAccess } from "./access.ts";
import { deleteBlob } from "./endpoints/delete-blob.ts";
import { deleteManifest } from "./endpoints/delete-manifest.ts";
import { getBlob } from "./endpoints/get-blob.ts";
import { getManifest } from "./endpoints/get-manifest.ts";
import { listCatalog } from "./endpoints/list-catalog.ts";
import { listReferrers } from "./endpoints/list-referrers.ts";
import { listTags } from "./endpoints/list-tags.ts";
import { putManifest } from "./endpoints/put-manifest.ts";
import { appendUpload } from "./endpoints/append-upload.ts";
import { cancelUpload } from "./endpoints/cancel-upload.ts";
import { finishUpload } from "./endpoints/finish-upload.ts";
import { startUpload } from "./endpoints/start-upload.ts";
import { uploadStatus } from "./endpoints/upload-status.ts";
import { Exchange, type ServerContext } from "./exchange.ts";
import { checkRepository } from "./names.ts";
import { problem, Problem, problemOf } from "./problem.ts";
import { DEFAULT_LIMITS, type RegistryServerOptions, type ServerLimits } from "./server-options.ts";
import { UploadSessions } from "./upload-sessions.ts";

/** Answers requests until the process ends. The promise resolves when the answer is complete; it never rejects. */
export type RegistryHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Makes a handler over two storages. It owns nothing: closing them is the caller's, once no request is under way. */
export function createRegistryHandler(options: RegistryServerOptions): RegistryHandler {
  const context = contextOf(options);
  const sessions = new UploadSessions(context);
  return async (request, response) => {
    const exchange = new Exchange(request, response, context);
    const start = context.observe === undefined ? 0 : performance.now();
    try {
      await answer(exchange, sessions);
    } catch (error) {
      report(exchange, error);
    }
    context.observe?.(exchange, performance.now() - start);
  };
}

// Switches and limits are read anew for each request: who owns the options may change them while it serves.
function contextOf(options: RegistryServerOptions): ServerContext {
  let given: RegistryServerOptions["limits"];
  let limits: ServerLimits = DEFAULT_LIMITS;
  return {
    ...options,
    access: options.access ?? openAccess,
    get limits() {
      if (options.limits !== given) limits = { ...DEFAULT_LIMITS, ...(given = options.limits) };
      return limits;
    },
    get readOnly() {
      return options.readOnly ?? false;
    },
    get deletes() {
      return options.deletes ?? true;
    },
    get sparse() {
      return options.sparse ?? false;
    },
  };
}

function report(exchange: Exchange, error: unknown): void {
  const refusal = problemOf(error);
  if (refusal.status >= 500) {
    exchange.context.scope.log.warn("request failed", {
      method: exchange.method,
      path: exchange.path,
      error: errorText(error),
    });
  }
  exchange.sendProblem(refusal);
}

async function answer(exchange: Exchange, sessions: UploadSessions): Promise<void> {
  const route = located(exchange, matchRoute(exchange.path));
  if (route === null) throw problem(404, "UNSUPPORTED", "there is nothing at this path");
  exchange.route = route;
  if ("repository" in route) checkRepository(route.repository);
  const action = actionOf(route, exchange.method);
  if (action === null) throw new Problem(405, { code: "UNSUPPORTED", message: "method not allowed here" });
  checkPolicy(exchange, action);
  await authorise(exchange, { action, repository: "repository" in route ? route.repository : "" });
  await dispatch(exchange, route, sessions);
}

function located(exchange: Exchange, route: Route | null): Route | null {
  const { locate } = exchange.context;
  if (locate === undefined || route === null || !("repository" in route) || !READS.has(exchange.method)) return route;
  const namespace = exchange.query.get("ns");
  return namespace === null ? route : { ...route, repository: locate(route.repository, namespace) };
}

// One place decides what this server does at all; a second check somewhere else is how CVE-2026-41888 came about.
function checkPolicy(exchange: Exchange, action: AccessAction): void {
  const { readOnly = false, deletes = true } = exchange.context;
  if (readOnly && (action === "push" || action === "delete"))
    throw problem(405, "UNSUPPORTED", "the registry is read-only");
  if (!deletes && action === "delete") throw problem(405, "UNSUPPORTED", "deleting is disabled");
}

async function authorise(exchange: Exchange, request: AccessRequest): Promise<void> {
  const { access, scope } = exchange.context;
  const pending = access.decide(scope, exchange.request, request);
  const decision = "then" in pending ? await pending : pending;
  if (!decision.allowed) {
    if (decision.identity !== undefined) exchange.identity = decision.identity;
    throw refusalOf(decision);
  }
  exchange.identity = decision.identity;
  exchange.tags = decision.tags;
}

function refusalOf(decision: AccessDecision & { readonly allowed: false }): Problem {
  if (decision.retryAfter !== undefined) {
    const entry = { code: "TOOMANYREQUESTS", message: "too many attempts" } as const;
    return new Problem(429, entry, { "retry-after": String(decision.retryAfter) });
  }
  if (decision.challenge === undefined) return problem(403, "DENIED", "not allowed");
  return new Problem(
    401,
    { code: "UNAUTHORIZED", message: "authentication required" },
    { "www-authenticate": decision.challenge },
  );
}

const READS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

function actionOf(route: Route, method: string): AccessAction | null {
  switch (route.kind) {
    case "ping":
    case "extensions":
      return READS.has(method) ? "any" : null;
    case "catalog":
      return READS.has(method) ? "catalog" : null;
    case "tags":
    case "referrers":
      return READS.has(method) ? "pull" : null;
    case "manifest":
      return READS.has(method) ? "pull" : method === "PUT" ? "push" : method === "DELETE" ? "delete" : null;
    case "blob":
      return READS.has(method) ? "pull" : method === "DELETE" ? "delete" : null;
    case "uploads":
      return method === "POST" ? "push" : null;
    case "upload":
      return ["GET", "PATCH", "PUT", "DELETE"].includes(method) ? "push" : null;
  }
}

async function dispatch(exchange: Exchange, route: Route, sessions: UploadSessions): Promise<void> {
  const { method } = exchange;
  switch (route.kind) {
    case "ping":
      return exchange.sendJson(200, {});
    case "extensions":
      return exchange.sendJson(200, { extensions: [] });
    case "catalog":
      return listCatalog(exchange);
    case "tags":
      return listTags(exchange, route.repository);
    case "referrers":
      return listReferrers(exchange, route.repository, route.digest);
    case "manifest":
      if (method === "PUT") return putManifest(exchange, route.repository, route.reference);
      if (method === "DELETE") return deleteManifest(exchange, route.repository, route.reference);
      return getManifest(exchange, route.repository, route.reference);
    case "blob":
      if (method === "DELETE") return deleteBlob(exchange, route.repository, route.digest);
      return getBlob(exchange, route.repository, route.digest);
    case "uploads":
      return startUpload(exchange, route.repository, sessions);
    case "upload":
      if (method === "PATCH") return appendUpload(exchange, route, sessions);
      if (method === "PUT") return finishUpload(exchange, route, sessions);
      if (method === "DELETE") return cancelUpload(exchange, route, sessions);
      return uploadStatus(exchange, route, sessions);
  }
}
