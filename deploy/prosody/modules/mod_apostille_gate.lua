-- The gate, on the server's side: every message waits here until the gate component has said yes.
--
-- Enable it on every VirtualHost, every MUC and every Component. It gathers facts, parks the stanza in its sender's
-- queue, asks in batches, and obeys. It decides nothing that the component can decide; what it passes unasked is written
-- down, case by case, in docs/explanation/gate.md.
--
-- apostille_facts says what is told of a message, apostille_devices what of somebody's devices and apostille_members what of a room,
-- apostille_queues keeps the order, apostille_asking talks to a component, apostille_told knows what that one has heard before,
-- apostille_terms holds what it has said beforehand, apostille_bounces what a sender hears. This file holds the hooks.

local st = require "util.stanza";
local jid = require "util.jid";
local sha256 = require "util.hashes".sha256;
local time_now = require "util.time".now;

local lib = module:require("apostille_facts");
local new_lane = module:require("apostille_asking");
local new_memory = module:require("apostille_told");
local acks = module:require("apostille_acks");
local xmlns_gate = "apostille:gate:0";
local xmlns_sid = "urn:xmpp:sid:0";
local xmlns_caps = "http://jabber.org/protocol/caps";

local prosody = prosody;
local hosts = prosody.hosts;
local this_host = module.host;
local host_type = module:get_host_type();

local gate_jids = module:get_option_array("apostille_gate_components", { "gate."..this_host });
local patience = module:get_option_number("apostille_gate_timeout", 2.5); -- seconds that a message waits for its verdict
local batch_messages = module:get_option_number("apostille_gate_batch", 64);
local parked_limit = module:get_option_number("apostille_gate_parked", 20000);
local backlog = module:get_option_number("apostille_gate_backlog", 512); -- of one source, before nothing more is read from it

-- A stanza that may go on carries `apostille_passed` on its table: no copy has it, and nothing on the wire can set it. What is
-- being released at the moment is known to all hosts, since a room hears of a message while a user's host releases it.
local shared = module:shared("/*/apostille_gate/state");
shared.releasing = shared.releasing or setmetatable({}, { __mode = "k" });
shared.lanes = shared.lanes or {}; -- gate JID -> host -> lane, so that the gate's own host can say that it came or went
local releasing = shared.releasing; -- coroutine -> the entry that it is letting through

local terms = module:require("apostille_terms")(lib);
local devices = module:require("apostille_devices")(lib);
local members = module:require("apostille_members")(lib.word);
local queues;
local lanes = {};
local last_ref = 0;

local bounce = module:require("apostille_bounces")(gate_jids[1], terms, lib.language_of);

-- ---- queues and questions ----------------------------------------------------------------------------------------

local function release(entry, origin)
	local stanza = entry.stanza;
	if entry.refused then
		bounce(entry, entry.refused);
		return;
	end
	local thread = coroutine.running();
	stanza.apostille_passed = true;
	releasing[thread] = entry;
	prosody.core_post_stanza(origin, stanza, entry.pre);
	releasing[thread] = nil;
	if entry.archived then entry.lane.report(entry.archived); end
end

queues = module:require("apostille_queues")(release, function (entry, err)
	module:log("error", "A parked stanza could not go on: %s", err);
	bounce(entry, "broken");
end, acks, backlog);

for number, gate_jid in ipairs(gate_jids) do
	local lane = new_lane({
		gate = gate_jid; host = this_host; patience = patience; most = batch_messages; on_hold = queues.let_all_go;
		told = new_memory { devices_of = devices.of, devices_version = devices.version, members_of = members.of, word = lib.word };
	}, queues.decide);
	lanes[number] = lane;
	shared.lanes[gate_jid] = shared.lanes[gate_jid] or {};
	shared.lanes[gate_jid][this_host] = lane;
end

-- Messages of one sender always ask the same component, so that they are recorded in their order.
local function lane_of(from)
	if #lanes == 1 then return lanes[1]; end
	return lanes[tonumber(sha256(jid.bare(from) or "", true):sub(1, 6), 16) % #lanes + 1];
end

local function new_entry(event, pre)
	local entry = { origin = event.origin, stanza = event.stanza, pre = pre, since = time_now(), about = {} };
	if queues.count >= parked_limit or queues.is_full(event.origin) then
		bounce(entry, "crowded");
		return nil;
	end
	last_ref = last_ref + 1;
	entry.ref = ("%d"):format(last_ref);
	return entry;
end

local function park_and_ask(entry, to_host)
	local from = entry.stanza.attr.from;
	if not entry.hold then entry.hold, entry.open = terms.in_outage(jid.host(from), to_host); end
	entry.lane = lane_of(from);
	queues.park(entry, entry.stanza);
	entry.lane.ask(entry);
	return true;
end

-- What a client on this server calls itself, by its last presence (XEP-0115).
local function client_of(origin)
	local presence = origin.presence;
	local caps = presence and presence:get_child("c", xmlns_caps);
	return caps and caps.attr.node;
end

local function ask(event, flow, pre)
	local stanza = event.stanza;
	local attr = stanza.attr;
	local entry = new_entry(event, pre);
	if not entry then return true; end
	local to, room = attr.to or jid.bare(attr.from), nil;
	local to_host = jid.host(to);
	local muc = hosts[to_host] and hosts[to_host].modules.muc;
	if muc then
		room = jid.bare(to);
		if attr.type ~= "groupchat" and jid.resource(to) then
			local existing = muc.get_room_from_jid(room);
			local occupant = existing and existing:get_occupant_by_nick(to);
			to = occupant and occupant.bare_jid or room;
		end
	end
	local ok, lines = pcall(lib.facts, stanza, entry.ref, flow, to, room, client_of(event.origin));
	if not ok then
		module:log("error", "The facts of a message could not be gathered: %s", lines);
		bounce(entry, "broken");
		return true;
	end
	entry.lines, entry.bare_to = lines, jid.bare(attr.to) or jid.bare(attr.from);
	if lib.is_encrypted(stanza) then entry.about, entry.readers = { jid.bare(attr.from), jid.bare(to) }, room; end
	return park_and_ask(entry, to_host);
end

-- What somebody wants to change about an account's OMEMO devices is asked about like a message. An outage never holds it.
local function ask_about_devices(event, flow, pre)
	local change = devices.change(event.stanza);
	if not change then return; end
	local attr = event.stanza.attr;
	local entry = new_entry(event, pre);
	if not entry then return true; end
	local from, to = attr.from or this_host, attr.to or jid.bare(attr.from) or this_host;
	entry.lines = table.concat({ "change", entry.ref, flow, lib.word(from), lib.word(to), change }, " ");
	entry.hold = 0;
	return park_and_ask(entry);
end

-- ---- hooks: what is asked, what is held, what passes ----------------------------------------------------------------

-- Sent by this server itself: a room's fan-out, an announcement, a PEP event (docs/explanation/gate.md says what that leaves open),
-- or mod_s2s's own word, with an origin made up for it, that another server cannot be reached.
local function is_internal(origin)
	return origin ~= nil and (origin.dummy == true or origin.host ~= nil and hosts[origin.host] == origin);
end

local is_gate = {};
for _, gate_jid in ipairs(gate_jids) do is_gate[gate_jid] = true; end

local function from_gate(event)
	local from = event.stanza.attr.from;
	return event.origin.type == "component" and from and is_gate[jid.host(from)] and event.origin.host == jid.host(from);
end

local function was_passed(event)
	if event.stanza.apostille_passed then event.apostille_passed = true; end -- handlers swap the stanza for a copy; the event stays
	return event.apostille_passed;
end

local function hold(event, pre, address)
	if was_passed(event) then return; end
	return queues.hold(event.origin, event.stanza, pre, address);
end

local function on_sending(event)
	if was_passed(event) or is_internal(event.origin) then return; end
	local stanza = event.stanza;
	if terms.is_free(stanza, stanza.attr.to and jid.host(stanza.attr.to) or this_host) then
		if hold(event, true) then return true; end
		stanza.apostille_passed, event.apostille_passed = true, true;
		return;
	end
	return ask(event, "local", true);
end

-- What a privileged component says in an official's name (XEP-0356) comes in an envelope that goes to nobody: mod_privilege opens
-- it, and the message inside is asked about when it is sent, as that official's.
local function is_envelope(event)
	local origin, stanza = event.origin, event.stanza;
	local privileges = origin.type == "component" and origin.privileges and origin.privileges[this_host];
	return privileges and privileges.message == "outgoing" and stanza.attr.to == this_host
		and #stanza.tags == 1 and stanza:get_child("privilege", "urn:xmpp:privilege:2") ~= nil;
end

local function on_arrival(event)
	if was_passed(event) or is_internal(event.origin) or is_envelope(event) then return; end
	if from_gate(event) then
		event.apostille_passed = true; -- for handlers that look whether the gate has let it through
		return;
	end
	return ask(event, event.origin.type == "component" and "component" or "remote", false);
end

local function on_presence_sending(event)
	local origin = event.origin;
	return hold(event, true, not event.stanza.attr.to and origin.username and jid.join(origin.username, origin.host) or nil);
end

-- From other servers and components, that is: what a client sends was held when it was sent.
local function on_presence_arrival(event)
	if event.origin.type ~= "c2s" then return hold(event, false); end
end

local function on_iq_sending(event)
	if was_passed(event) then return; end
	return ask_about_devices(event, "local", true) or hold(event, true);
end

local function on_iq_arrival(event)
	local kind = event.origin.type or "";
	if was_passed(event) or kind == "c2s" then return; end
	-- Also what a module of this server sends in somebody's name (XEP-0356).
	return ask_about_devices(event, kind:find("^s2s") and "remote" or "component", false) or hold(event, false);
end

if is_gate[this_host] then
	-- Only this module asks. An external component may say anything in its host's name, and a question writes to the ledger.
	local function on_question(event)
		if event.origin.type ~= "component" or is_internal(event.origin) then return; end
		for _, child in ipairs(event.stanza.tags) do
			if child.attr.xmlns == xmlns_gate then
				if event.stanza.attr.type ~= "error" and event.stanza.attr.type ~= "result" then
					event.origin.send(st.error_reply(event.stanza, "auth", "forbidden"));
				end
				return true;
			end
		end
	end
	for _, kind in ipairs { "bare", "full", "host" } do
		module:hook("iq/"..kind, on_question, 1001);
	end
end

for _, kind in ipairs { "bare", "full", "host" } do
	module:hook("message/"..kind, on_arrival, 1000);
	module:hook("presence/"..kind, on_presence_arrival, 1000);
	module:hook("iq/"..kind, on_iq_arrival, 999); -- after the verdicts
	if host_type == "local" then
		module:hook("pre-message/"..kind, on_sending, 1000);
		module:hook("pre-presence/"..kind, on_presence_sending, 1000);
		module:hook("pre-iq/"..kind, on_iq_sending, 1000);
	end
end

if host_type == "component" then
	-- An external component that writes to another server fires nothing else.
	module:hook("route/remote", function (event)
		if event.stanza.name == "message" then return on_arrival(event); end
	end, 1000);
end

if host_type == "local" then
	module:hook("pre-resource-unbind", function (event)
		return queues.keep_open(event.session, event.error);
	end, -10);
end

-- ---- what the component says ---------------------------------------------------------------------------------------

-- What runs is what was loaded, so its files are read now.
local loaded = {};
for _, name in ipairs { "mod_apostille_gate", "apostille_acks.lib", "apostille_asking.lib", "apostille_bounces.lib",
	"apostille_devices.lib", "apostille_facts.lib",
	"apostille_members.lib", "apostille_queues.lib", "apostille_terms.lib", "apostille_told.lib" } do
	local file = module:load_resource(name..".lua");
	loaded[#loaded + 1] = file and file:read("*a") or "";
	if file then file:close(); end
end
local fingerprint = sha256(table.concat(loaded), true);

-- Which hosts this server has, and whether the gate stands before each.
local function coverage()
	local found = st.stanza("covered", { xmlns = xmlns_gate, modules = fingerprint });
	for name, host in pairs(hosts) do
		found:tag("host", { jid = name, covered = host.modules and host.modules.apostille_gate and "true" or "false" }):up();
	end
	return found;
end

local function on_terms(event)
	local ok, why = terms.read(event.stanza.tags[1]);
	if ok then
		event.origin.send(st.reply(event.stanza):add_child(coverage()));
	else
		module:log("error", "The gate component's terms cannot be read (%s): every message is asked about", why);
		event.origin.send(st.error_reply(event.stanza, "modify", "bad-request", why));
	end
	for _, lane in ipairs(lanes) do lane.connected(); end
	return true;
end

module:hook("iq/host", function (event)
	local stanza = event.stanza;
	local kind, id, from = stanza.attr.type, stanza.attr.id, stanza.attr.from;
	if not is_gate[from] or not from_gate(event) then return; end
	if kind == "set" and stanza:get_child("terms", xmlns_gate) then return on_terms(event); end
	if (kind ~= "result" and kind ~= "error") or not id or id:sub(1, 10) ~= "apostille-" then return; end
	for _, lane in ipairs(lanes) do
		if lane.jid == from then lane.answer(stanza); end
	end
	return true;
end, 1000);

if is_gate[this_host] then
	-- A second connection that is turned away says that it disconnected, too.
	module:hook("component-disconnected", function (event)
		if event.session.type ~= "component" then return; end
		for _, lane in pairs(shared.lanes[this_host] or {}) do lane.disconnected(); end
	end);
end

-- ---- archive ids ---------------------------------------------------------------------------------------------------

local function report(by, id)
	local entry = releasing[coroutine.running()];
	if entry and entry.record then
		local line = "archived "..entry.record.." "..lib.word(by).." "..lib.word(id);
		entry.archived = entry.archived and entry.archived.."\n"..line or line;
	end
end

module:hook("archive-message-added", function (event)
	report(jid.join(event.for_user, this_host), event.id);
end);

module:hook("muc-add-history", function (event)
	local id = event.stanza:get_child_with_attr("stanza-id", xmlns_sid, "by", event.room.jid);
	if id then report(event.room.jid, id.attr.id); end
end, -100);

-- ---- endings ---------------------------------------------------------------------------------------------------------

local function give_back(why)
	for _, lane in ipairs(lanes) do
		for _, entry in ipairs(lane.give_back()) do queues.decide(entry, why); end
	end
end

function module.unload()
	give_back("reload");
	acks.end_all();
	for _, gate_jid in ipairs(gate_jids) do shared.lanes[gate_jid][this_host] = nil; end
end

-- Before mod_smacks (-90) and mod_c2s (-100) end the sessions: who is still there hears that the message was not delivered.
module:hook_global("server-stopping", function () give_back("reload"); end, -10);
