// What the Functions host loads: registration is a side effect of the import, and nothing else happens in it.
import { app } from "@azure/functions";
import { Scheduler } from "./scheduler.ts";
import { registerStatus } from "./status.ts";
import { registerTick } from "./tick.ts";

const scheduler = new Scheduler(process.env);
registerTick(app, scheduler, process.env);
registerStatus(app, scheduler);
