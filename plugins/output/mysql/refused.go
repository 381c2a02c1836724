// Errors that rows are to blame for.

package mysql

import (
	"errors"

	driver "github.com/go-sql-driver/mysql"
)

// refused reports whether an error is the rows' own fault, and not the server's, the table's or the
// connection's. The statement may also have become too large: half of it may not be.
func refused(err error) bool {
	if errors.Is(err, driver.ErrPktTooLarge) {
		return true
	}
	my, ok := errors.AsType[*driver.MySQLError](err)
	return ok && blamed[my.Number]
}

// blamed are such errors by their numbers (MariaDB's manual, "MariaDB Error Codes"): values that do
// not fit their column, constraints, and what a function or a trigger says.
var blamed = map[uint16]bool{
	1048: true, // column cannot be NULL
	1062: true, // duplicate entry
	1153: true, // packet larger than max_allowed_packet
	1169: true, // unique constraint
	1216: true, // foreign key: no parent
	1217: true, // foreign key: has children
	1264: true, // out of range
	1265: true, // data truncated
	1292: true, // truncated incorrect value
	1300: true, // invalid character string
	1364: true, // field has no default
	1365: true, // division by zero
	1366: true, // incorrect value
	1367: true, // illegal value found during parsing
	1369: true, // CHECK OPTION
	1406: true, // data too long
	1411: true, // incorrect value for function
	1451: true, // foreign key: parent row
	1452: true, // foreign key: child row
	1525: true, // incorrect value
	1557: true, // foreign key: duplicate
	1586: true, // duplicate entry for key
	1644: true, // SIGNAL
	1690: true, // value out of range
	3819: true, // CHECK constraint, MySQL
	4025: true, // CHECK constraint, MariaDB
}
