"""Where there is something to read: columns, boards, feeds, sitemaps. Pure; fetches nothing."""
