// Keys that are text made of other keys.

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

	IPSaddrBin    = key[engine.RawText]("ip.saddr.bin", none, "", "source address as an SQL literal of 16 octets")
	IPDaddrBin    = key[engine.RawText]("ip.daddr.bin", none, "", "destination address as an SQL literal of 16 octets")
	OrigSaddrBin  = key[engine.RawText]("orig.ip.saddr.bin", none, "", "source address as an SQL literal of 16 octets")
	OrigDaddrBin  = key[engine.RawText]("orig.ip.daddr.bin", none, "", "destination address as an SQL literal of 16 octets")
	ReplySaddrBin = key[engine.RawText]("reply.ip.saddr.bin", none, "", "source address of replies as an SQL literal of 16 octets")
	ReplyDaddrBin = key[engine.RawText]("reply.ip.daddr.bin", none, "", "destination address of replies as an SQL literal of 16 octets")
	ARPSaddrBin   = key[engine.RawText]("arp.saddr.bin", none, "", "ARP sender address as an SQL literal of 16 octets")
	ARPDaddrBin   = key[engine.RawText]("arp.daddr.bin", none, "", "ARP target address as an SQL literal of 16 octets")

	IPHSaddr    = key[engine.Addr]("ip.hsaddr", none, "", "source address, for SQL outputs")
	IPHDaddr    = key[engine.Addr]("ip.hdaddr", none, "", "destination address, for SQL outputs")
	OrigHSaddr  = key[engine.Addr]("orig.ip.hsaddr", none, "", "source address, for SQL outputs")
	OrigHDaddr  = key[engine.Addr]("orig.ip.hdaddr", none, "", "destination address, for SQL outputs")
	ReplyHSaddr = key[engine.Addr]("reply.ip.hsaddr", none, "", "source address of replies, for SQL outputs")
	ReplyHDaddr = key[engine.Addr]("reply.ip.hdaddr", none, "", "destination address of replies, for SQL outputs")
	ARPHSaddr   = key[engine.Addr]("arp.hsaddr", none, "", "ARP sender address, for SQL outputs")
	ARPHDaddr   = key[engine.Addr]("arp.hdaddr", none, "", "ARP target address, for SQL outputs")
)
