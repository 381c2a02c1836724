-- The ten questions of docs/queries.md in the words of PostgreSQL, for the table of PGSQL's layout native.

-- 1
SELECT host(orig_ip_saddr) AS client, count(*) AS flows, sum(orig_raw_pktlen + reply_raw_pktlen) AS octets
FROM flows WHERE time >= '2024-01-01' AND time < '2024-01-02' GROUP BY 1 ORDER BY octets DESC, client LIMIT 3;

-- 2
SELECT host(orig_ip_saddr) AS client, orig_l4_sport AS port, host(orig_ip_daddr) AS server,
  floor(extract(epoch FROM flow_start))::bigint AS began, floor(extract(epoch FROM flow_end))::bigint AS ended
FROM flows
WHERE reply_ip_daddr = '203.0.113.1' AND reply_l4_dport = 43366 AND orig_ip_protocol = 6
  AND time >= '2024-01-01 12:00:00' AND time < '2024-01-03' AND flow_start < '2024-01-01 12:00:01'
ORDER BY began, client, server LIMIT 3;

-- 3
SELECT host(orig_ip_daddr) AS server, orig_l4_dport AS port, floor(extract(epoch FROM min(flow_end)))::bigint AS first_seen
FROM flows GROUP BY 1, 2 HAVING min(flow_end) >= '2024-01-01 12:00:00' ORDER BY first_seen, server LIMIT 3;

-- 4
SELECT min(minute) AS first_minute, max(minute) AS last_minute, count(*) AS minutes FROM (
  SELECT generate_series(0, 1439) AS minute
  EXCEPT SELECT extract(epoch FROM seen - '2024-01-01')::int / 60
  FROM (SELECT DISTINCT date_trunc('minute', flow_end) AS seen FROM flows) AS those) AS missing;

-- 5
SELECT orig_ip_protocol AS protocol, orig_l4_dport AS port, count(*) AS flows, sum(orig_raw_pktlen + reply_raw_pktlen) AS octets
FROM flows GROUP BY protocol, port ORDER BY octets DESC, port LIMIT 5;

-- 6
SELECT floor(extract(epoch FROM flow_start))::bigint AS began, host(orig_ip_daddr) AS server, orig_l4_dport AS port,
  orig_raw_pktlen + reply_raw_pktlen AS octets
FROM flows WHERE time >= '2024-01-01 08:00:00' AND time < '2024-01-01 10:00:00' AND orig_ip_saddr = '10.0.2.209'
ORDER BY began, server, octets LIMIT 3;

-- 7
SELECT host(orig_ip_saddr) AS client, count(DISTINCT orig_ip_daddr) AS servers, count(*) AS flows
FROM flows WHERE reply_raw_pktcount = 0 GROUP BY orig_ip_saddr ORDER BY servers DESC, client LIMIT 3;

-- 8
SELECT extract(hour FROM hour)::int AS hour, flows, bits_a_second FROM (
  SELECT date_trunc('hour', time) AS hour, count(*) AS flows,
    div(sum(orig_raw_pktlen + reply_raw_pktlen) * 8, 3600)::bigint AS bits_a_second
  FROM flows WHERE time >= '2024-01-01' AND time < '2024-01-02' GROUP BY 1) AS hours
ORDER BY 1 LIMIT 3;

-- 9
SELECT host(orig_ip_saddr) AS client, host(orig_ip_daddr) AS server, orig_l4_dport AS port,
  extract(epoch FROM date_trunc('second', flow_end) - date_trunc('second', flow_start))::bigint AS seconds
FROM flows ORDER BY date_trunc('second', flow_end) - date_trunc('second', flow_start) DESC, client, server LIMIT 3;

-- 10
SELECT 100 * count(*) FILTER (WHERE oob_family = 10) / count(*) AS flows_percent,
  div(100 * sum(orig_raw_pktlen + reply_raw_pktlen) FILTER (WHERE oob_family = 10),
    sum(orig_raw_pktlen + reply_raw_pktlen))::int AS octets_percent
FROM flows;
