-- The gate, on the server's side: every message waits here until the gate component has said yes.
--
-- Enable it on every VirtualHost, every MUC and every external Component. It gathers facts, parks the stanza in its sender's
-- queue, asks in batches, and obeys. It decides nothing that the component can decide; what it passes unasked is written
-- down, case by case, in docs/explanation/gate.md.
--
-- It never waits inside a session's coroutine: in Prosody 0.12 a connection that was paused and resumed may forget what
-- lies in LuaSocket's own buffer, and the last stanzas of a burst hang.
--
-- More than 400 lines, because the queues, the batch under way and the hooks share their state, and Prosody knows no parts of a
-- module but libraries without state.

local st = require "util.stanza";
local async = require "util.async";
local jid = require "util.jid";
local new_id = require "util.id".medium;
local time_now = require "util.time".now;
local add_task = require "util.timer".add_task;
local recalc_resource_map = require "util.presence".recalc_resource_map;
local sessionmanager = require "core.sessionmanager";

local lib = module:require("apostille_facts");
local xmlns_gate = lib.xmlns;
local xmlns_sid = "urn:xmpp:sid:0";

local prosody = prosody;
local hosts = prosody.hosts;
local this_host = module.host;

local gate_jid = module:get_option_string("apostille_gate_component", "gate."..this_host);
local patience = module:get_option_number("apostille_gate_timeout", 2.5); -- seconds that a message waits for its verdict
local shortest_patience = math.min(1, patience); -- seconds that the component has for a question at least
local batch_messages = module:get_option_number("apostille_gate_batch", 64);
local batch_bytes = 256 * 1024; -- the other side's limit is 512 KiB
local parked_limit = module:get_option_number("apostille_gate_parked", 20000);

-- A stanza that may go on carries `apostille_passed` on its table: no copy has it, and nothing on the wire can set it. What is
-- being released at the moment is known to all hosts, since a room hears of a message while a user's host releases it.
local shared = module:shared("/*/apostille_gate/state");
shared.releasing = shared.releasing or setmetatable({}, { __mode = "k" });
local releasing = shared.releasing; -- coroutine -> the entry that it is letting through

local sources = setmetatable({}, { __mode = "k" }); -- origin -> its queue, as long as the origin lives
local waiting = {}; -- entries that no question has been sent for yet, first in first out
local waiting_from, waiting_to = 1, 0;
local asked; -- the batch under way: { id =, entries = { ref -> entry }, timer = }
local archived = {}; -- archive ids to be reported with the next question
local last_ref = 0;
local parked_count = 0;

local flush_due, report_due = false, false;
local flush; -- asks, if nothing is under way
local flush_soon; -- the same, on the next tick
local keep_report; -- keeps an archive's ids until the next question

local texts = {
	unavailable = "Your message was not delivered: the service that checks messages cannot be reached just now. Please try again in a moment.";
	crowded = "Your message was not delivered: too many messages are waiting to be checked. Please send it again in a moment.";
	reload = "Your message was not delivered: the service that checks messages is being restarted. Please send it again in a moment.";
	broken = "Your message was not delivered: it could not be checked. Please send it again; if this comes back, tell your administrator.";
};

-- ---- answers to the sender ---------------------------------------------------------------------------------------

local function reply_to(entry, reply)
	local stanza = entry.stanza;
	local to_host = jid.host(stanza.attr.to) or this_host;
	if not (hosts[to_host] and hosts[to_host].modules.muc) then
		-- Some clients show an error only where it comes from the bare JID that the chat is with.
		reply.attr.from = jid.bare(stanza.attr.to) or jid.bare(stanza.attr.from);
	end
	if entry.origin.type == "c2s" and entry.origin.send then
		if not entry.origin.destroyed then entry.origin.send(reply); end
	else
		module:send(reply);
	end
end

local function bounce(entry, kind, condition, text, code)
	if entry.stanza.attr.type == "error" then return; end
	local reply = st.error_reply(entry.stanza, kind, condition, text, gate_jid);
	reply:tag("refused", { xmlns = xmlns_gate, code = code }):up();
	reply_to(entry, reply);
end

local function bounce_wait(entry, why)
	bounce(entry, "wait", "recipient-unavailable", texts[why], why);
end

-- ---- one queue per source ----------------------------------------------------------------------------------------

-- A session that is torn down while its messages wait would be wiped, and they would go on as nobody's: keep what
-- handlers look at.
local function snapshot(origin)
	return {
		type = origin.type; username = origin.username; host = origin.host; resource = origin.resource;
		full_jid = origin.full_jid; roster = origin.roster; log = origin.log; send = function () return false; end;
	};
end

local function release(entry)
	local origin, stanza = entry.origin, entry.stanza;
	entry.source.current = entry;
	if entry.refused then
		local r = entry.refused;
		bounce(entry, r.kind, r.condition, r.text, r.code);
		return;
	end
	if origin.destroyed then origin = entry.source.snapshot; end
	if entry.held and entry.source.closing and stanza.name == "presence" and not stanza.attr.to and not stanza.attr.type then
		return; -- mod_presence would route messages to a session that nobody reads, and empty the offline store into it
	end
	local thread = coroutine.running();
	stanza.apostille_passed = true;
	releasing[thread] = entry;
	prosody.core_post_stanza(origin, stanza, entry.pre);
	releasing[thread] = nil;
	if entry.archived then keep_report(entry.archived); end
end

-- A session whose full JID another one took while its messages waited: what it had entered or told and its heir did not, it
-- leaves now (mod_presence would have said so before the heir was there).
local function depart(session, heir)
	local gone = st.presence({ type = "unavailable", from = session.full_jid });
	for to in pairs(session.directed or {}) do
		if not (heir.directed and heir.directed[to]) then
			local presence = st.clone(gone);
			presence.attr.to = to;
			prosody.core_post_stanza(session, presence, true);
		end
	end
	session.directed = nil;
	if session.presence and not heir.presence then
		prosody.core_post_stanza(session, st.clone(gone), true);
	end
end

local function finish(source)
	-- Nothing waits any more: let a session go whose end was put off.
	if source.from <= source.to or source.runner.state ~= "ready" then return; end
	local session = source.closing and source.origin;
	source.closing, source.current = nil, nil;
	if session and not session.destroyed then
		local heir = session.full_jid and prosody.full_sessions[session.full_jid];
		if heir ~= session then
			if heir then depart(session, heir); end
			session.full_jid = nil; -- a new session has taken its place and must not be unregistered
		end
		sessionmanager.destroy_session(session, source.closing_reason);
	end
end

local function drain(source)
	while source.from <= source.to and source.entries[source.from].decided do
		local entry = source.entries[source.from];
		source.entries[source.from] = nil;
		source.from = source.from + 1;
		parked_count = parked_count - 1;
		source.runner:run(entry);
	end
	finish(source);
end

local function source_of(origin)
	local source = sources[origin];
	if source then return source; end
	source = { origin = origin, entries = {}, from = 1, to = 0, snapshot = origin.type == "c2s" and snapshot(origin) or origin };
	source.runner = async.runner(release, {
		error = function (_, err)
			module:log("error", "A parked stanza could not go on: %s", err);
			if source.current and not source.current.held then bounce_wait(source.current, "broken"); end
		end;
		ready = function () finish(source); end;
	}, source);
	sources[origin] = source;
	return source;
end

local function park(entry)
	local source = source_of(entry.origin);
	entry.source = source;
	source.to = source.to + 1;
	source.entries[source.to] = entry;
	parked_count = parked_count + 1;
	if entry.decided then drain(source); end
end

local function decide(entry, refused)
	if entry.decided then return; end
	entry.decided, entry.refused = true, refused;
	drain(entry.source);
end

-- ---- asking ------------------------------------------------------------------------------------------------------

local function give_up(entries, why)
	for _, entry in ipairs(entries) do
		decide(entry, { kind = "wait", condition = "recipient-unavailable", text = texts[why], code = why });
	end
end

local function in_order(batch)
	local entries = {};
	for place, ref in ipairs(batch.order) do entries[place] = batch.entries[ref]; end
	return entries;
end

local function take_overdue(now)
	local overdue = {};
	while waiting_from <= waiting_to and now - waiting[waiting_from].since >= patience do
		overdue[#overdue + 1] = waiting[waiting_from];
		waiting[waiting_from] = nil;
		waiting_from = waiting_from + 1;
	end
	return overdue;
end

local function close_batch(batch)
	if asked ~= batch then return false; end
	asked = nil;
	batch.timer:stop();
	return true;
end

-- The archives give a message its ids (XEP-0359) only after it was judged; a complaint cites them, so the ledger learns them.
-- Reports ride with the next question, or alone after a moment; what cannot be told while the component is away is told later.
function keep_report(report, pause)
	if #archived >= 1000 then return; end
	archived[#archived + 1] = report;
	if report_due then return; end
	report_due = true;
	add_task(pause or 0.2, function ()
		report_due = false;
		flush();
	end);
end

local function fail_batch(batch, why)
	if not close_batch(batch) then return; end
	if #batch.order > 0 then
		module:log("warn", "No verdict for %d message(s) (%s): their senders are told to try again", #batch.order, why);
	end
	give_up(in_order(batch), "unavailable");
	give_up(take_overdue(time_now()), "unavailable");
	for _, report in ipairs(batch.archived) do keep_report(report, 5); end
	if waiting_from <= waiting_to then flush_soon(); end -- not at once: with the component away this would nest without end
end

function flush()
	if asked or (waiting_from > waiting_to and #archived == 0) then return; end
	local batch = { id = "apostille-"..new_id(), entries = {}, order = {} };
	local question = st.iq({ type = "set", id = batch.id, from = this_host, to = gate_jid }):tag("ask", { xmlns = xmlns_gate });
	batch.archived, archived = archived, {};
	for _, report in ipairs(batch.archived) do question:add_child(report); end
	local bytes = 160 * #batch.archived;
	while waiting_from <= waiting_to and #batch.order < batch_messages and bytes < batch_bytes do
		local entry = waiting[waiting_from];
		waiting[waiting_from] = nil;
		waiting_from = waiting_from + 1;
		batch.entries[entry.ref] = entry;
		batch.order[#batch.order + 1] = entry.ref;
		entry.place = #batch.order;
		bytes = bytes + entry.weight;
		question:add_child(entry.facts);
		entry.facts = nil;
	end
	question:up();
	asked = batch;
	-- What waited for an earlier answer has less time left, but the component gets a moment for every question.
	local oldest = batch.entries[batch.order[1]];
	local left = oldest and math.max(patience - (time_now() - oldest.since), shortest_patience) or patience;
	batch.timer = module:add_timer(left, function ()
		if batch.overdue then
			fail_batch(batch, "too late");
		else -- the answer may lie in the socket already, unread by a busy server: let it be read first
			batch.overdue = true;
			return 0.05;
		end
	end);
	module:send(question); -- comes back at once, as an error, when the component is away
end

function flush_soon()
	-- On the next tick, so that what was read from the socket together is asked together.
	if asked or flush_due then return; end
	flush_due = true;
	add_task(0, function ()
		flush_due = false;
		flush();
	end);
end

local function weight_of(facts)
	local bytes = 400;
	for _, child in ipairs(facts.tags) do
		bytes = bytes + 160;
		for _, omemo in ipairs(child.tags) do
			for _, keys in ipairs(omemo.tags) do bytes = bytes + 40 + #(keys[1] or ""); end
		end
	end
	return bytes;
end

local function ask(event, flow, pre)
	local origin, stanza = event.origin, event.stanza;
	last_ref = last_ref + 1;
	local entry = {
		origin = origin; stanza = stanza; pre = pre; ref = ("%d"):format(last_ref); since = time_now();
	};
	if parked_count >= parked_limit then
		bounce_wait(entry, "crowded");
		return true;
	end
	local more = { ref = entry.ref; flow = flow; to = stanza.attr.to or jid.bare(stanza.attr.from) };
	local to_host = jid.host(more.to);
	local muc = hosts[to_host] and hosts[to_host].modules.muc;
	if muc then
		more.room = jid.bare(more.to);
		if stanza.attr.type ~= "groupchat" and jid.resource(more.to) then
			local room = muc.get_room_from_jid(more.room);
			local occupant = room and room:get_occupant_by_nick(more.to);
			more.to = occupant and occupant.bare_jid or more.room;
		end
	end
	local ok, facts = pcall(lib.facts, stanza, more);
	if not ok then
		module:log("error", "The facts of a message could not be gathered: %s", facts);
		bounce_wait(entry, "broken");
		return true;
	end
	entry.facts, entry.weight = facts, weight_of(facts);
	waiting_to = waiting_to + 1;
	waiting[waiting_to] = entry;
	park(entry);
	flush_soon();
	return true;
end

-- ---- verdicts ----------------------------------------------------------------------------------------------------

local kinds = { modify = true, cancel = true, auth = true, wait = true };

-- What one verdict says: a refusal, or that a message and as many as `count` says after it, in the order of the question, pass.
local function read_verdict(batch, verdict, refusals, heard)
	local ref, count = verdict.attr.ref, tonumber(verdict.attr.count or 1);
	local entry = ref and batch.entries[ref];
	local known = verdict.attr.xmlns == xmlns_gate and (verdict.name == "pass" or (verdict.name == "refuse" and count == 1));
	if not entry or not known or not count or count < 1 or count % 1 ~= 0 or not batch.order[entry.place + count - 1] then
		module:log("warn", "The gate component gave a verdict that cannot be understood");
		if entry then heard[ref], refusals[ref] = true, "broken"; end
		return;
	end
	local record = (verdict.attr.record or ""):match("^%d+$");
	for i = 0, count - 1 do
		ref = batch.order[entry.place + i];
		if heard[ref] then
			module:log("warn", "The gate component gave two verdicts on one message");
			refusals[ref] = "broken";
		end
		heard[ref] = true;
		batch.entries[ref].record = record and ("%d"):format(record + i);
	end
	if verdict.name == "refuse" and not refusals[ref] then
		refusals[ref] = {
			kind = kinds[verdict.attr.type] and verdict.attr.type or "cancel"; condition = "policy-violation";
			text = verdict:get_text(); code = verdict.attr.code;
		};
	end
end

local function obey(batch, verdicts)
	local refusals, heard = {}, {};
	for _, verdict in ipairs(verdicts.tags) do read_verdict(batch, verdict, refusals, heard); end
	for _, ref in ipairs(batch.order) do
		local entry, refusal = batch.entries[ref], refusals[ref];
		if not heard[ref] or refusal == "broken" then
			refusal = { kind = "wait", condition = "recipient-unavailable", text = texts.broken, code = "broken" };
		end
		decide(entry, refusal);
	end
end

module:hook("iq/host", function (event)
	local stanza = event.stanza;
	local kind = stanza.attr.type;
	if kind ~= "result" and kind ~= "error" then return; end
	local id = stanza.attr.id;
	if not id or id:sub(1, 10) ~= "apostille-" then return; end
	if stanza.attr.from ~= gate_jid then return; end
	local batch = asked;
	if not batch or batch.id ~= id then
		module:log("warn", "The gate component answered too late; its verdicts are not obeyed");
		return true;
	end
	local verdicts = kind == "result" and stanza:get_child("verdicts", xmlns_gate);
	if not verdicts then
		fail_batch(batch, kind == "error" and "component away" or "unreadable answer");
		return true;
	end
	close_batch(batch);
	flush(); -- the component works on the next question while this server obeys the last answer
	obey(batch, verdicts);
	return true;
end, 1000);

-- ---- hooks: what is asked, what is held, what passes ----------------------------------------------------------------

-- Sent by this server itself: a room's fan-out, an announcement, a PEP event (docs/explanation/gate.md says what that leaves open).
local function is_internal(origin)
	return origin ~= nil and origin.host ~= nil and hosts[origin.host] == origin;
end

local function from_gate(event)
	return event.origin.type == "component" and event.stanza.attr.from
		and jid.host(event.stanza.attr.from) == gate_jid and event.origin.host == gate_jid;
end

local function was_passed(event)
	if event.stanza.apostille_passed then event.apostille_passed = true; end -- handlers swap the stanza for a copy; the event stays
	return event.apostille_passed;
end

local function on_sending(event)
	if was_passed(event) or is_internal(event.origin) then return; end
	return ask(event, "local", true);
end

local function on_arrival(event)
	if was_passed(event) or is_internal(event.origin) or from_gate(event) then return; end
	return ask(event, event.origin.type == "component" and "component" or "remote", false);
end

-- While messages of a source wait, everything else from it queues behind them (RFC 6120 section 10.1: in order).
local function hold(event, pre)
	local origin, stanza = event.origin, event.stanza;
	local source = sources[origin];
	if not source or origin.destroyed or was_passed(event) then return; end
	if coroutine.running() == source.runner.thread then return; end -- part of what is being released
	if source.from > source.to and source.runner.state == "ready" then return; end
	park({
		origin = origin; stanza = st.clone(stanza); pre = pre; held = true; decided = true;
	});
	return true;
end

local function on_other_sending(event)
	return hold(event, true);
end

-- From other servers and components, that is: what a client sends was held when it was sent.
local function on_other_arrival(event)
	if event.origin.type ~= "c2s" then return hold(event, false); end
end

local host_type = module:get_host_type();

for _, kind in ipairs { "bare", "full", "host" } do
	module:hook("message/"..kind, on_arrival, 1000);
	module:hook("presence/"..kind, on_other_arrival, 1000);
	module:hook("iq/"..kind, on_other_arrival, 999); -- after the verdicts
	if host_type == "local" then
		module:hook("pre-message/"..kind, on_sending, 1000);
		module:hook("pre-presence/"..kind, on_other_sending, 1000);
		module:hook("pre-iq/"..kind, on_other_sending, 1000);
	end
end

if host_type == "component" then
	-- An external component that writes to another server fires nothing else.
	module:hook("route/remote", function (event)
		if event.stanza.name == "message" then return on_arrival(event); end
	end, 1000);
end

if host_type == "local" then
	-- A client that sends and hangs up: keep its session until its messages have gone, in order, as its own.
	module:hook("pre-resource-unbind", function (event)
		local session = event.session;
		local source = sources[session];
		if not source or (source.from > source.to and source.runner.state == "ready") then return; end
		if not source.closing then
			source.closing, source.closing_reason = true, event.error;
			-- Nobody reads it any more. A message to it is refused, so that it is kept for later; but a room would throw its
			-- occupant out for that, before the last words are said.
			function session.send(stanza)
				return st.is_stanza(stanza) and (stanza.name == "presence" or stanza.attr.type == "groupchat");
			end
			if session.priority then -- no new message is routed to it; its presence stays, for contacts have to hear that it leaves
				session.priority = -1;
				recalc_resource_map(prosody.bare_sessions[jid.join(session.username, session.host)]);
			end
		end
		return true;
	end, -10);
end

-- ---- archive ids ---------------------------------------------------------------------------------------------------

local function report(by, id)
	local entry = releasing[coroutine.running()];
	if entry and entry.record then
		entry.archived = entry.archived or st.stanza("archived", { record = entry.record });
		entry.archived:tag("by", { jid = by, id = id }):up();
	end
end

module:hook("archive-message-added", function (event)
	report(jid.join(event.for_user, this_host), event.id);
end);

module:hook("muc-add-history", function (event)
	local id = event.stanza:get_child_with_attr("stanza-id", xmlns_sid, "by", event.room.jid);
	if id then report(event.room.jid, id.attr.id); end
end, -100);

local function give_back(why)
	local entries = {};
	if asked then
		asked.timer:stop();
		for _, entry in ipairs(in_order(asked)) do entries[#entries + 1] = entry; end
		asked = nil;
	end
	for i = waiting_from, waiting_to do entries[#entries + 1] = waiting[i]; end
	waiting, waiting_from, waiting_to = {}, 1, 0; -- a flush that is due finds nothing
	give_up(entries, why);
end

function module.unload()
	give_back("reload");
end

-- Before mod_smacks (-90) and mod_c2s (-100) end the sessions: who is still there hears that the message was not delivered.
module:hook_global("server-stopping", function () give_back("reload"); end, -10);
