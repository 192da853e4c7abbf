-- Writes the rosters that the component computes, and keeps clients from undoing them (apostille:roster:0).
--
-- Knows: what is stored, who is online, which items are managed. Refuses to know: who belongs in a roster; that is said by
-- the component alone.
--
-- What is managed is written on the roster item itself (item.apostille), not in a store of its own: an item and its mark are
-- then saved by the same write and cannot come apart, and Prosody saves items whole, so the mark outlives every save of its
-- own (rostermanager hands the item table to the storage as it is; internal and SQL storage keep unknown fields). Only
-- mod_roster builds an item afresh, when a client edits it, and that is refused below. Lost on the way through XEP-0227
-- (prosodyctl export, mod_storage_xep0227): then the next fill marks the items again.

local st = require "util.stanza";
local jid = require "util.jid";
local rosters = require "core.rostermanager";
local users = require "core.usermanager";
local now = require "util.time".now;

local host = module.host;
local namespace = "apostille:roster:0";
local component = module:get_option_string("apostille_rosters_component", "rosters." .. host);
local refused = "This contact is kept by the directory of officials and cannot be changed here.";

local gives = { both = true, from = true }; -- the owner's presence goes to the contact
local takes = { both = true, to = true }; -- the contact's presence comes to the owner
local subscriptions = { both = true, from = true, to = true, none = true };

module:depends "roster";
module:depends "presence";
module:add_feature(namespace);

---- Reading a fill: everything is checked before anything is written

local function bare(text)
	local address = text and jid.prep(text);
	return address and not jid.resource(address) and address or nil;
end

local function read_item(tag)
	local address, subscription = bare(tag.attr.jid), tag.attr.subscription;
	if not address then return nil, "an item needs a bare jid"; end
	if not subscriptions[subscription] then return nil, "unknown subscription of item " .. address; end
	local item = { subscription = subscription, groups = {}, apostille = true };
	item.name = tag.attr.name ~= "" and tag.attr.name or nil;
	for group in tag:childtags("group", namespace) do
		local text = group:get_text();
		if text == "" then return nil, "an empty group of item " .. address; end
		item.groups[text] = true;
	end
	return address, item;
end

local function read_roster(tag)
	local owner = bare(tag.attr.jid);
	local username, domain = jid.split(owner);
	if not username or domain ~= host then return nil, "a roster needs the bare jid of an account on " .. host; end
	local wanted = {};
	for child in tag:childtags("item", namespace) do
		local address, item = read_item(child);
		if not address then return nil, item; end
		if address == owner or wanted[address] then return nil, address .. " cannot stand in the roster of " .. owner; end
		wanted[address] = item;
	end
	return { owner = owner, username = username, wanted = wanted };
end

local function read_fill(fill)
	local list, seen = {}, {};
	for child in fill:childtags("roster", namespace) do
		local roster, problem = read_roster(child);
		if not roster then return nil, problem; end
		if seen[roster.owner] then return nil, "two rosters of " .. roster.owner; end
		seen[roster.owner] = true;
		list[#list + 1] = roster;
	end
	if #list == 0 then return nil, "no roster"; end
	return list;
end

---- The difference between what is stored and what is wanted

local function same(item, wanted)
	if not item.apostille or item.ask or item.name ~= wanted.name or item.subscription ~= wanted.subscription then
		return false;
	end
	for group in pairs(item.groups) do
		if not wanted.groups[group] then return false; end
	end
	for group in pairs(wanted.groups) do
		if not item.groups[group] then return false; end
	end
	return true;
end

-- A private contact that becomes a managed one is kept beside it, and comes back when the directory lets go of it.
local function difference(stored, wanted)
	local changes, count = {}, { added = 0, changed = 0, removed = 0 };
	for address, item in pairs(wanted) do
		local old = stored[address];
		if not old then
			count.added = count.added + 1;
			changes[#changes + 1] = { address = address, new = item };
		elseif not same(old, item) then
			count.changed = count.changed + 1;
			if old.apostille then item.apostille_kept = old.apostille_kept; else item.apostille_kept = old; end
			changes[#changes + 1] = { address = address, old = old, new = item };
		end
	end
	for address, old in pairs(stored) do
		if address and old.apostille and not wanted[address] then
			count.removed = count.removed + 1;
			changes[#changes + 1] = { address = address, old = old, new = old.apostille_kept };
		end
	end
	return changes, count;
end

---- Writing: one save per official; what could not be saved is not left in memory either

-- Under SQL one changed item is two rows; other storages would read the whole roster first, only to write it whole again.
local store = module:open_store("roster", "map");
local by_item = store and not store.keyval_store;

local function save(username, roster, changes)
	local only = by_item and #changes == 1 and changes[1].address or nil;
	return rosters.save_roster(username, host, roster, only);
end

local function apply(username, roster, changes)
	local metadata = roster[false];
	if #changes == 0 and metadata.apostille then return true; end
	local filled, pending = metadata.apostille, {};
	for _, change in ipairs(changes) do
		roster[change.address] = change.new;
		if change.new and gives[change.new.subscription] then
			pending[change.address], metadata.pending[change.address] = metadata.pending[change.address], nil;
		end
	end
	metadata.apostille = true; -- this roster has been filled once: see "resource-bind" below
	if save(username, roster, changes) then return true; end
	metadata.apostille = filled;
	for _, change in ipairs(changes) do
		roster[change.address] = change.old;
		metadata.pending[change.address] = pending[change.address] or metadata.pending[change.address];
	end
	return false;
end

---- Presence: a subscription that was written, not asked for, moves no presence by itself (RFC 6121 section 4)

local function said_by(address, contact, how)
	local user = prosody.bare_sessions[address];
	local item = user and user.roster and user.roster[contact];
	return item and how[item.subscription] or false;
end

local function send_presence(from, to, kind)
	for _, session in pairs(prosody.bare_sessions[from].sessions) do
		if session.presence then
			local presence = kind and st.presence { type = kind } or st.clone(session.presence);
			presence.attr.from, presence.attr.to = session.full_jid, to;
			prosody.core_post_stanza(session, presence, true); -- with pre-events, so that block lists hold
		end
	end
end

local function move_presence(owner, change)
	local contact = change.address;
	if not (prosody.bare_sessions[owner] and prosody.bare_sessions[contact]) then return; end
	local before = change.old and change.old.subscription;
	local after = change.new and change.new.subscription;
	if gives[after] and not gives[before] and said_by(contact, owner, takes) then send_presence(owner, contact); end
	if takes[after] and not takes[before] and said_by(contact, owner, gives) then send_presence(contact, owner); end
	if gives[before] and not gives[after] then send_presence(owner, contact, "unavailable"); end
end

---- One official after the other, each in a turn of its own: the server breathes in between

local function fill_one(roster, reply)
	local username, owner = roster.username, roster.owner;
	if not users.user_exists(username, host) then
		reply:tag("absent", { jid = owner }):up();
		return;
	end
	local began = now();
	local stored, problem = rosters.load_roster(username, host);
	local changes, count = difference(stored, roster.wanted);
	if problem or not apply(username, stored, changes) then
		module:log("error", "The roster of %s could not be written: %s", owner, problem or "not saved");
		reply:tag("failed", { jid = owner }):up();
		return;
	end
	for _, change in ipairs(changes) do
		rosters.roster_push(username, host, change.address);
	end
	for _, change in ipairs(changes) do
		move_presence(owner, change);
	end
	module:log("debug", "Roster of %s: %d changes in %.1f ms", owner, #changes, (now() - began) * 1000);
	reply:tag("roster", { jid = owner, added = ("%d"):format(count.added), changed = ("%d"):format(count.changed),
		removed = ("%d"):format(count.removed) }):up();
end

local function fill_all(list, reply)
	local place = 0;
	module:add_timer(0, function ()
		place = place + 1;
		fill_one(list[place], reply);
		if place < #list then return 0; end
		module:send(reply);
	end);
end

module:hook("iq-set/host/" .. namespace .. ":fill", function (event)
	local origin, stanza = event.origin, event.stanza;
	if origin.type ~= "component" or origin.host ~= component or jid.bare(stanza.attr.from) ~= component then
		origin.send(st.error_reply(stanza, "auth", "forbidden", "Only " .. component .. " fills rosters."));
		return true;
	end
	local list, problem = read_fill(stanza.tags[1]);
	if not list then
		origin.send(st.error_reply(stanza, "modify", "bad-request", problem));
		return true;
	end
	fill_all(list, st.reply(stanza):tag("filled", { xmlns = namespace }));
	return true;
end);

---- What a client may not do to a managed item

-- mod_roster listens to "iq/self/...", which is fired before "iq-set/self/...": the latter would come too late.
module:hook("iq/self/jabber:iq:roster:query", function (event)
	local origin, stanza = event.origin, event.stanza;
	if stanza.attr.type ~= "set" then return; end
	for tag in stanza.tags[1]:childtags("item") do
		local address = tag.attr.jid and jid.prep(tag.attr.jid);
		local item = address and origin.roster and origin.roster[address];
		if item and item.apostille then
			origin.send(st.error_reply(stanza, "cancel", "not-allowed", refused));
			return true;
		end
	end
end, 10);

local asks = { subscribe = true, subscribed = true, unsubscribe = true, unsubscribed = true };

-- From a client: ignored, not refused, because a presence error makes many clients show the contact as broken. The item is
-- pushed again, so that a client that believed itself shows what is true.
local function outbound(event)
	local origin, stanza = event.origin, event.stanza;
	if not (asks[stanza.attr.type] and stanza.attr.to and origin.roster) then return; end
	local contact = jid.bare(stanza.attr.to);
	local item = origin.roster[contact];
	if not (item and item.apostille) then return; end
	rosters.roster_push(origin.username, origin.host, contact);
	return true;
end

-- From elsewhere, not least from Prosody itself: it answers a probe with "unsubscribed" where only one of two rosters has
-- been written yet, and sends "unsubscribe" in the name of a deleted account. A request that a managed item already grants
-- is left to mod_presence, which answers it and writes nothing.
local function inbound(event)
	local stanza = event.stanza;
	local kind, to = stanza.attr.type, stanza.attr.to;
	if not (asks[kind] and to and stanza.attr.from) then return; end
	local username = jid.split(to);
	local roster = username and rosters.load_roster(username, host);
	local item = roster and roster[jid.bare(stanza.attr.from)];
	if not (item and item.apostille) then return; end
	if kind == "subscribe" and gives[item.subscription] then return; end
	return true;
end

for _, form in ipairs { "bare", "full", "host" } do
	module:hook("pre-presence/" .. form, outbound, 10);
end
module:hook("presence/bare", inbound, 10);
module:hook("presence/full", inbound, 10);

---- Accounts that came later

-- Somebody is here whose roster was never filled: an account made after the fill, made again, or restored without it.
module:hook("resource-bind", function (event)
	local session = event.session;
	if session.roster[false].apostille then return; end
	local notice = st.iq { type = "set", id = "unfilled-" .. session.username, from = host, to = component };
	notice:tag("unfilled", { xmlns = namespace, jid = session.username .. "@" .. host });
	module:send(notice);
end);

-- Prosody 0.12 keeps the roster of a deleted account in its cache, and would show it to the next account of that name.
module:hook_global("user-deleted", function (event)
	local cache = event.host == host and prosody.hosts[host].roster_cache;
	if cache then cache:set(event.username .. "@" .. host, nil); end
end, -100);
