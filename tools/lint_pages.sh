#!/bin/sh
# lint_pages.sh PAGE...: what mandoc has to say of manual pages, but for pages that it refers to and are not installed here.
! mandoc -T lint -W style "$@" 2>/dev/null | grep -v -e 'referenced manual not found' -e 'REPORTS instead of ERRORS'
