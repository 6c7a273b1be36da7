"""The site spider on Scrapy: polite, hardened, and accountable for every fetch."""
