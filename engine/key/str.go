package key

import "ulogd/engine"

// Addresses in other forms, by IP2STR, IP2BIN and IP2HBIN.
var (
	IPSaddrStr    = cim[engine.String]("ip.saddr.str", "src_ip", none, "", "source address as text")
	IPDaddrStr    = cim[engine.String]("ip.daddr.str", "dest_ip", none, "", "destination address as text")
	OrigSaddrStr  = cim[engine.String]("orig.ip.saddr.str", "src_ip", none, "", "source address as text")
	OrigDaddrStr  = cim[engine.String]("orig.ip.daddr.str", "dest_ip", none, "", "destination address as text")
	ReplySaddrStr = key[engine.String]("reply.ip.saddr.str", none, "", "source address of replies as text")
	ReplyDaddrStr = key[engine.String]("reply.ip.daddr.str", none, "", "destination address of replies as text")
	ARPSaddrStr   = key[engine.String]("arp.saddr.str", none, "", "ARP sender address as text")
	ARPDaddrStr   = key[engine.String]("arp.daddr.str", none, "", "ARP target address as text")
)
