"""The report: figures, pages, headline sentences, the papers' numbers."""
