-- Where other domains are served, without asking the DNS: on ports of loopback; a domain that is not listed does not exist.
-- Everything after the address is Prosody's own: STARTTLS, certificates, SASL EXTERNAL, its queue and its errors.

module:set_global();

local service = require "net.resolvers.service";
local manual = require "net.resolvers.manual";

local peers = module:get_option("rig_peers", {});
local ask_dns = service.new;

function service.new(hostname, _, conn_type, extra)
	local port = peers[hostname];
	return manual.new(port and { { conn_type, "127.0.0.1", port, extra } } or {}, conn_type, extra);
end

function module.unload()
	service.new = ask_dns;
end
