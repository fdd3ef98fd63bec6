"""compatibility"""
