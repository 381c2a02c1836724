// Views on tables of the output's own, under the names that people ask for.

package table

import "fmt"

// A View is a query with a name.
type View struct{ Name, Query string }

// Views returns the views on a table of flows; none for other tables. ago is how a database writes the
// time so many hours ago.
func (n *Native) Views(qualified string, ago func(hours int) string) (list []View) {
	if !n.Has("orig_ip_saddr") {
		return nil
	}
	list = append(list, View{n.Name + "_last_hour", fmt.Sprintf("SELECT * FROM %s WHERE time > %s", qualified, ago(1))})
	if n.Has("orig_raw_pktlen", "orig_raw_pktcount", "reply_raw_pktlen") {
		list = append(list, View{"top_talkers", fmt.Sprintf(`SELECT orig_ip_saddr AS source, count(*) AS flows,
	sum(orig_raw_pktcount) AS packets, sum(orig_raw_pktlen) AS octets_sent, sum(reply_raw_pktlen) AS octets_received
FROM %s WHERE time > %s GROUP BY orig_ip_saddr
ORDER BY sum(coalesce(orig_raw_pktlen, 0) + coalesce(reply_raw_pktlen, 0)) DESC LIMIT 100`, qualified, ago(24))})
	}
	return list
}
