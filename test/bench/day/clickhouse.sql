-- The ten questions of docs/queries.md in the words of ClickHouse, for the table that output CLICKHOUSE makes on a
-- server as old as Debian's: addresses are sixteen octets, those of IPv4 mapped. Newer ones have the type IPv6.

-- 1
SELECT replaceOne(IPv6NumToString(assumeNotNull(orig_ip_saddr)), '::ffff:', '') AS client, count() AS flows,
  sum(orig_raw_pktlen + reply_raw_pktlen) AS octets
FROM ulogd WHERE time >= toDateTime(1704067200) AND time < toDateTime(1704153600)
GROUP BY orig_ip_saddr ORDER BY octets DESC, client LIMIT 3

-- 2
SELECT replaceOne(IPv6NumToString(assumeNotNull(orig_ip_saddr)), '::ffff:', '') AS client, orig_l4_sport AS port,
  replaceOne(IPv6NumToString(assumeNotNull(orig_ip_daddr)), '::ffff:', '') AS server,
  toUnixTimestamp(flow_start) AS began, toUnixTimestamp(flow_end) AS ended
FROM ulogd
WHERE reply_ip_daddr = IPv6StringToNum('::ffff:203.0.113.1') AND reply_l4_dport = 43366 AND orig_ip_protocol = 6
  AND time >= toDateTime(1704110400) AND time < toDateTime(1704240000) AND flow_start <= toDateTime(1704110400)
ORDER BY began, client, server LIMIT 3

-- 3
SELECT replaceOne(IPv6NumToString(assumeNotNull(orig_ip_daddr)), '::ffff:', '') AS server, orig_l4_dport AS port,
  toUnixTimestamp(min(flow_end)) AS first_seen
FROM ulogd GROUP BY orig_ip_daddr, port HAVING first_seen >= 1704110400 ORDER BY first_seen, server LIMIT 3

-- 4
SELECT if(count() = 0, NULL, min(number)) AS first_minute, if(count() = 0, NULL, max(number)) AS last_minute, count() AS minutes
FROM numbers(1440)
WHERE number NOT IN (SELECT toUInt64(intDiv(toUnixTimestamp(assumeNotNull(flow_end)) - 1704067200, 60)) FROM ulogd)

-- 5
SELECT orig_ip_protocol AS protocol, orig_l4_dport AS port, count() AS flows, sum(orig_raw_pktlen + reply_raw_pktlen) AS octets
FROM ulogd GROUP BY protocol, port ORDER BY octets DESC, port LIMIT 5

-- 6
SELECT toUnixTimestamp(flow_start) AS began, replaceOne(IPv6NumToString(assumeNotNull(orig_ip_daddr)), '::ffff:', '') AS server,
  orig_l4_dport AS port, orig_raw_pktlen + reply_raw_pktlen AS octets
FROM ulogd
WHERE time >= toDateTime(1704096000) AND time < toDateTime(1704103200)
  AND orig_ip_saddr = IPv6StringToNum('::ffff:10.0.2.209')
ORDER BY began, server, octets LIMIT 3

-- 7
SELECT replaceOne(IPv6NumToString(assumeNotNull(orig_ip_saddr)), '::ffff:', '') AS client, uniqExact(orig_ip_daddr) AS servers,
  count() AS flows
FROM ulogd WHERE reply_raw_pktcount = 0 GROUP BY orig_ip_saddr ORDER BY servers DESC, client LIMIT 3

-- 8
SELECT toHour(time, 'UTC') AS hour, count() AS flows, intDiv(sum(orig_raw_pktlen + reply_raw_pktlen) * 8, 3600) AS bits_a_second
FROM ulogd WHERE time >= toDateTime(1704067200) AND time < toDateTime(1704153600) GROUP BY hour ORDER BY hour LIMIT 3

-- 9
SELECT replaceOne(IPv6NumToString(assumeNotNull(orig_ip_saddr)), '::ffff:', '') AS client,
  replaceOne(IPv6NumToString(assumeNotNull(orig_ip_daddr)), '::ffff:', '') AS server, orig_l4_dport AS port,
  toInt64(toUnixTimestamp(flow_end)) - toInt64(toUnixTimestamp(flow_start)) AS seconds
FROM ulogd ORDER BY seconds DESC, client, server LIMIT 3

-- 10
SELECT intDiv(100 * countIf(oob_family = 10), count()) AS flows_percent,
  intDiv(100 * sumIf(orig_raw_pktlen + reply_raw_pktlen, oob_family = 10), sum(orig_raw_pktlen + reply_raw_pktlen)) AS octets_percent
FROM ulogd
