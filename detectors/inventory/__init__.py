"""Who is who: classes of identities and assets that rules refer to instead of names."""
