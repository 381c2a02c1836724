// Package difftest runs ulogd2 and this daemon beside each other on the same packets and compares
// what they write, record by record.
//
// In each scene, a few network namespaces with rules, every packet is logged to three groups:
// ulogd2 reads the first, this daemon with compat = "ulogd2" the second, this daemon as it is by
// default the third. The second must write what ulogd2 writes, to the byte. Where the third
// differs, the table in docs/from-ulogd2.md has a row for it, and the packet is listed under that
// row in differs_test.go; a packet that is listed and does not differ fails the test too.
package difftest
