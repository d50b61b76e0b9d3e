"""Writers of records, one a source, in the shapes that the sources' own documents give."""
