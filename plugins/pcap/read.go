package pcap

import (
	"errors"
	"io"
	"time"

	"ulogd/engine"
)

// Read fills a batch with the packets of the current block, going on to the next block or file when it is used up.
func (in *input) Read(b *engine.Batch, deadline time.Time) error {
	for {
		if n := in.file.next(in.frames[:]); n > 0 {
			in.fill(b, n)
			return nil
		}
		if ok, err := in.src.ready(deadline); !ok || err != nil {
			return err
		}
		in.renewBlock()
		err := in.file.fill(in.block.Data)
		if err == nil {
			continue
		}
		if err := in.endOfFile(b, err); err != nil {
			return err
		}
	}
}

// Tick shows the progress at a terminal.
func (in *input) Tick(now time.Time) {
	if in.src != nil {
		in.progress.show(now, in.packets, in.src)
	}
}

// endOfFile closes a file and opens the next. It returns io.EOF behind the last.
func (in *input) endOfFile(b *engine.Batch, err error) error {
	in.progress.end()
	if bad := in.file.bad; bad > 0 {
		in.badRecord.Rows(b, int(bad))
		in.env.Log.Warn("records could not be read", "file", in.file.name, "records", bad)
	}
	if !errors.Is(err, io.EOF) {
		in.env.Log.Warn(err.Error())
	}
	in.src.Close()
	in.src = nil
	if len(in.files) == 0 {
		return io.EOF
	}
	return in.openNext()
}

// fill writes n frames into the batch's columns.
func (in *input) fill(b *engine.Batch, n int) {
	k := &in.keys
	have, pkt, length, wire := b.Have(), k.pkt.Of(b), k.length.Of(b), k.wire.Of(b)
	count, times, family, protocol := k.count.Of(b), k.time.Of(b), k.family.Of(b), k.protocol.Of(b)
	mac, maclen, saddr, addrlen, ifin := k.mac.Of(b), k.maclen.Of(b), k.saddr.Of(b), k.addrlen.Of(b), k.ifin.Of(b)
	all, hardware, source, iface := k.all.Mask(), k.hardware.Mask(), k.source.Mask(), k.iface.Mask()
	newest, ports := in.newest, in.file.ports
	b.SetData(in.block)
	row, refused := 0, 0
	for i := range in.frames[:n] {
		f := &in.frames[i]
		p := &ports[f.port]
		if p.refused != nil {
			refused++
			continue
		}
		data := in.block.Data[f.off : f.off+f.caplen]
		r := engine.Row(row)
		newest = max(newest, f.time)
		var net uint32
		bits := all
		if p.link == linkEthernet && len(data) >= 14 {
			net = 14
			protocol[r] = be.Uint16(data[12:])
			saddr[r], addrlen[r] = engine.Raw{Off: f.off + 6, Len: 6}, 6
			bits |= hardware | source
		} else {
			h, ok := network(p.link, data)
			if !ok {
				continue
			}
			net = h.net
			protocol[r] = h.etherType
			if net > 0 {
				bits |= hardware
			}
			if h.src >= 0 {
				saddr[r], addrlen[r] = engine.Raw{Off: f.off + uint32(h.src), Len: 6}, 6
				bits |= source
			}
			if h.ifindex != 0 {
				ifin[r] = h.ifindex
				bits |= iface
			}
		}
		mac[r], maclen[r] = engine.Raw{Off: f.off, Len: net}, uint16(net)
		pkt[r] = engine.Raw{Off: f.off + net, Len: f.caplen - net}
		length[r], wire[r], count[r] = f.caplen-net, max(f.wirelen, f.caplen)-net, 1
		times[r], family[r] = engine.Time(f.time), familyOf(protocol[r])
		have[r] = bits
		row++
	}
	in.newest = newest
	in.packets += int64(n)
	b.Fill(row)
	b.SetReplay(newest)
	if refused > 0 {
		in.refuse(b, refused)
	}
	if without := n - row - refused; without > 0 {
		in.noNetwork.Rows(b, without)
	}
}

// refuse counts packets of a link type that cannot be read, and names it the first time.
func (in *input) refuse(b *engine.Batch, n int) {
	if in.refused.Load() == 0 {
		for _, p := range in.file.ports {
			if p.refused != nil {
				in.env.Log.Error(p.refused.Error(), "file", in.file.name)
			}
		}
	}
	in.refused.Rows(b, n)
}

// familyOf gives the netfilter family that goes with an EtherType; what is neither IP nor ARP is a frame of the netdev family.
func familyOf(etherType uint16) uint8 {
	switch etherType {
	case engine.EtherIPv4:
		return engine.FamilyIPv4
	case engine.EtherIPv6:
		return engine.FamilyIPv6
	case engine.EtherARP:
		return engine.FamilyARP
	}
	return engine.FamilyNetdev
}
