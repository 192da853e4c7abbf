-- OMEMO devices as the server sees them: who announces which, and what somebody wants to change about that (XEP-0384, XEP-0163).
--
-- Knows the nodes of both versions and how to read a list or a bundle. Refuses to judge a change, and to keep what mod_pep keeps: a
-- list is read from there, and remembered only as long as nothing happens to it.

local st = require "util.stanza";
local jid = require "util.jid";
local base64_decode = require "util.encodings".base64.decode;
local to_hex = require "util.hex".encode or require "util.hex".to;

local hosts = prosody.hosts;

local xmlns_pubsub = "http://jabber.org/protocol/pubsub";
local xmlns_owner = "http://jabber.org/protocol/pubsub#owner";
local xmlns_legacy = "eu.siacs.conversations.axolotl";
local xmlns_modern = "urn:xmpp:omemo:2";
local node_legacy_list, node_modern_list = xmlns_legacy..".devicelist", xmlns_modern..":devices";
local legacy_bundle = xmlns_legacy..".bundles:";

local lists = { [node_legacy_list] = xmlns_legacy, [node_modern_list] = xmlns_modern };
-- What mod_pep has a handler for; it goes by the namespace of <pubsub/>, whatever that of the action is.
local actions = {
	[xmlns_pubsub] = { publish = "publish", retract = "retract", create = "configure" };
	[xmlns_owner] = { delete = "delete", purge = "purge", configure = "configure" };
};

local longest_list = 1250; -- devices that are told; more are a matter of the measures
local most_remembered = 20000; -- accounts

-- The number of a device that an attribute names.
local function device_id(text)
	return text and #text <= 10 and text:match("^%d+$") or "0";
end

-- The number of a device that a node or an item is named after: with zeros before it, it is another node.
local function named_id(text)
	return text and text:sub(1, 1) ~= "0" and device_id(text) or "0";
end

-- The ids of the list that clients read in an item: each version has its own name for it, and what stands beside it is none.
local function ids_in(item, ns)
	local list = item and item:get_child(ns == xmlns_legacy and "list" or "devices", ns);
	if not list then return ""; end
	local ids = {};
	for device in list:childtags("device") do
		if #ids < longest_list then ids[#ids + 1] = device_id(device.attr.id); end
	end
	return table.concat(ids, ",");
end

-- A public key, in hex; empty where there is none or it is no key.
local function identity_in(bundle, ns)
	local text = bundle:get_child_text(ns == xmlns_legacy and "identityKey" or "ik", ns);
	local key = text and #text <= 100 and base64_decode((text:gsub("%s", "")));
	return key and (#key == 32 or #key == 33) and to_hex(key) or "";
end

-- `facts` is what measures messages.
return function (facts)
	local measure, word = facts.measure, facts.word;
	local devices = {};

	-- What an IQ wants to change about somebody's devices: the rest of a line, or nil if it is none of that.
	function devices.change(stanza)
		if stanza.attr.type ~= "set" then return nil; end
		local pubsub = stanza.tags[1];
		local known = pubsub and pubsub.name == "pubsub" and actions[pubsub.attr.xmlns];
		if not known then return nil; end
		-- mod_pep does the first element only, and only what it has a handler for. Whatever else names such a node is asked about too,
		-- as it may go to a client; it is told as what changes no device.
		local asked, node, ns, action;
		for place, one in ipairs(pubsub.tags) do
			asked, node = one, one.attr.node or "";
			ns = lists[node] or (node:sub(1, #legacy_bundle) == legacy_bundle and xmlns_legacy)
				or (node == xmlns_modern..":bundles" and xmlns_modern);
			action = (actions[xmlns_pubsub][one.name] or actions[xmlns_owner][one.name]) and (place == 1 and known[one.name] or "configure");
			if ns and action then break; end
		end
		if not (ns and action) then return nil; end
		local item = asked:get_child("item");
		local about, identity = "list", "";
		local ids;
		if lists[node] then
			ids = ids_in(item, ns);
		else
			about = "bundle";
			ids = named_id(ns == xmlns_legacy and node:sub(#legacy_bundle + 1) or item and item.attr.id);
			local bundle = item and item:get_child("bundle", ns);
			identity = bundle and identity_in(bundle, ns) or "";
		end
		local text, attributes, elements = measure(asked);
		return table.concat({
			action, ns, about, ids == "" and "%" or ids, identity == "" and "%" or identity, text, attributes, elements,
		}, " ");
	end

	-- ---- what an account announces -------------------------------------------------------------------------------

	local remembered, count, version = {}, 0, 0; -- bare JID -> line
	local watched = setmetatable({}, { __mode = "k" }); -- events of a host

	local function announced(service, node)
		if not (service.nodes and service.nodes[node]) then return "-"; end
		local ok, _, item = service:get_last_item(node, true);
		local ids = ok and st.is_stanza(item) and ids_in(item, lists[node]) or "";
		return ids == "" and "%" or ids;
	end

	local function forget(address)
		if remembered[address] then remembered[address], count = nil, count - 1; end
		version = version + 1;
	end

	-- mod_pep has a service for as long as it needs one, so what was read from one outlives it, and each new one is watched from its
	-- beginning.
	local function watch_service(event)
		local address, events = event.item.jid, event.item.service.events;
		if not events then return; end
		local function on_event(change)
			if lists[change.node] then forget(address); end
		end
		for _, name in ipairs { "item-published", "item-retracted", "node-created", "node-deleted", "node-purged" } do
			events.add_handler(name, on_event); -- not by the module, which would keep every service
		end
	end

	local function watch(host)
		if watched[hosts[host].events] then return; end
		watched[hosts[host].events] = true;
		for _, item in ipairs(module:context(host):get_host_items("pep-service")) do watch_service { item = item }; end
		module:hook_object_event(hosts[host].events, "item-added/pep-service", watch_service);
		module:hook_global("user-deleted", function (event)
			if event.host == host then forget(jid.join(event.username, host)); end
		end, -10);
	end

	-- The line that tells which devices a local account announces, nil for anybody else: JID, OMEMO 0.3, OMEMO 2.
	function devices.of(address)
		if remembered[address] then return remembered[address]; end
		local username, host = jid.split(address);
		local pep = username and hosts[host] and hosts[host].modules and hosts[host].modules.pep;
		if not pep then return nil; end
		watch(host);
		local service = pep.get_pep_service(username);
		-- For accounts that do not exist mod_pep has one service of nobody's: of names that a sender makes up nothing is kept.
		if not service.events or not (service.config and service.config.pep_username) then return nil; end
		local line = table.concat({ "devices", word(address), announced(service, node_legacy_list), announced(service, node_modern_list) }, " ");
		if count >= most_remembered then remembered, count = {}, 0; end
		remembered[address], count = line, count + 1;
		return line;
	end

	-- Another number whenever the line of any account may have become another.
	function devices.version()
		return version;
	end

	return devices;
end
